package openai

import (
	"runtime"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/wire"
	"github.com/llmservice/llmservice/test/yields"
)

// An event or an answer with very many values is read in turns with others, on one worker that another goroutine needs, too.
func TestManyValuesAreReadInTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	many := func(value string) string { return strings.Repeat(value+",", 100_000) + value }
	deltas := map[string]string{
		"parts":     `{"content":[` + many(`{"type":"text","text":"x"}`) + `]}`,
		"calls":     `{"tool_calls":[` + many(`{"id":"a","function":{"arguments":"x"}}`) + `]}`,
		"members":   `{"content":"x",` + many(`"a":1`) + `}`,
		"nested":    `{"content":"x","a":[` + many(`[[[[1]]]]`) + `]}`,
		"elsewhere": `{"content":"x","logprobs":{"content":[[[` + many(`1`) + `]]]}}`,
	}
	docs := map[string]string{"choices": `{"choices":[` + many(`{}`) + `]}`, "usage": `{"choices":[{}],"usage":{"x":[` + many(`{}`) + `]}}`}
	for name, delta := range deltas {
		docs[name] = `{"choices":[{"index":0,"delta":` + delta + `,"message":` + delta + `}]}`
	}
	for name, doc := range docs {
		for as, read := range map[string]func(){
			"an event": func() {
				newTapWith(llm.TapOptions{Collector: llm.NewCollector(func(int) error { return nil })}).Frame(nil, &wire.Frame{Data: []byte(doc), HasData: true})
			},
			"an event that is relayed": func() { newTap("alias").Frame(nil, &wire.Frame{Data: []byte(doc), HasData: true}) },
			"an answer":                func() { _, _ = readCompletion([]byte(doc)) },
			"a request":                func() { _, _ = parseChatRequest([]byte(doc)) },
		} {
			if name == "members" && as == "a request" {
				continue // a name that is given twice is refused at once
			}
			if got := yields.During(read); got < 50 {
				t.Errorf("%s, as %s: another goroutine had %d turns while 100000 values were read", name, as, got)
			}
		}
	}
}
