package openai

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/llm"
)

// A stream is asked for its usage unless the client does so itself, and no other byte of the request changes.
func TestRequestsThatAskForUsage(t *testing.T) {
	const messages = `"messages": [ ]`
	for _, tt := range []struct {
		body, want string
		hide       bool
	}{
		{`{"model":"a",` + messages + `,"x":1.0} `, `{"model":"up",` + messages + `,"x":1.0,"stream_options":{"include_usage":true}} `, true},
		{`{` + messages + `, "stream_options" : { } ,"model":"a"}`, `{` + messages + `, "stream_options" : { "include_usage":true} ,"model":"up"}`, true},
		{`{"model":"a","stream_options":null,` + messages + `}`, `{"model":"up","stream_options":{"include_usage":true},` + messages + `}`, true},
		{`{"model":"a","stream_options":{ "x" : 1 },` + messages + `}`, `{"model":"up","stream_options":{ "x" : 1 ,"include_usage":true},` + messages + `}`, true},
		{`{"stream_options":{"include_usage": false },"model":"a",` + messages + `}`, `{"stream_options":{"include_usage": true },"model":"up",` + messages + `}`, true},
		{`{"model":"a","stream_options":{"x":{},"include\u005fusage":null},` + messages + `}`, `{"model":"up","stream_options":{"x":{},"include\u005fusage":true},` + messages + `}`, true},
		// The member is the client's own, or wrong, and passes.
		{`{"model":"a","stream_options":{"include_usage":true},` + messages + `}`, `{"model":"up","stream_options":{"include_usage":true},` + messages + `}`, false},
		{`{"model":"a","stream_options":{"include_usage":"x"},` + messages + `}`, `{"model":"up","stream_options":{"include_usage":"x"},` + messages + `}`, false},
		{`{"model":"a","stream_options":[],` + messages + `}`, `{"model":"up","stream_options":[],` + messages + `}`, false},
	} {
		for _, e := range []llm.Endpoint{Dialect{}, Completions{}} {
			r, wrong := e.ReadRequest([]byte(tt.body))
			if wrong != nil {
				t.Fatalf("%s: %v", tt.body, wrong)
			}
			if got, hide := r.WithUsage("up"); string(got.Joined()) != tt.want || hide != tt.hide {
				t.Errorf("%T %s: %v\n%s, want\n%s", e, tt.body, hide, got.Joined(), tt.want)
			}
		}
	}
	// Responses always have the usage, and vectors are never streamed.
	for _, e := range []llm.Endpoint{Responses{}, Embeddings{}} {
		r, wrong := e.ReadRequest([]byte(`{"model":"a","input":"x"}`))
		if wrong != nil {
			t.Fatal(wrong)
		}
		if got, hide := r.WithUsage("up"); string(got.Joined()) != `{"model":"up","input":"x"}` || hide {
			t.Errorf("%T: %s, %v", e, got, hide)
		}
	}
}

// The event that contains only the usage is removed if the client did not ask for it; it is counted, and everything else
// passes.
func TestUsageIsTakenOut(t *testing.T) {
	const (
		before = "data: {\"choices\":[{\"delta\":{\"content\":\"Tea\"}}],\"usage\":null}\n\n" +
			"data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\n" +
			"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n"
		usage = "{\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}"
		done  = "data: [DONE]\n\n"
	)
	for name, tt := range map[string]struct {
		event string
		taken bool
	}{
		"an event of its own":          {"data: {\"choices\":[],\"usage\":" + usage + "}\n\n", true},
		"with blanks":                  {"data: {\"choices\": [ ] , \"usage\": " + usage + "}\n\n", true},
		"without choices":              {"data: {\"usage\":" + usage + "}\n\n", true},
		"with null for choices":        {"data: {\"choices\":null,\"usage\":" + usage + "}\n\n", true},
		"in an event with a choice":    {"data: {\"choices\":[{\"delta\":{}}],\"usage\":" + usage + "}\n\n", false},
		"in one with text, at its end": {"data: {\"choices\":[{\"delta\":{\"content\":\".\"}}],\"usage\":" + usage + "}\n\n", false},
	} {
		for _, deep := range []bool{false, true} {
			for _, hide := range []bool{false, true} {
				used := llm.Used{}
				o := llm.TapOptions{HideUsage: hide, Used: &used}
				if deep {
					o.Collector = llm.NewCollector(func(int) error { return nil })
				}
				want := before + tt.event + done
				if hide && tt.taken {
					want = before + done
				}
				if hide {
					want = strings.Replace(want, `,"usage":null`, "", 1)
				}
				if got, _ := through(t, newTapWith(o), before+tt.event+done); got != want {
					t.Errorf("%s, hidden %v, deep %v: passed\n%s", name, hide, deep, got)
				}
				if tokens, reported := used.Tokens(); !reported || tokens.Total != 14 || used.Said < 2 {
					t.Errorf("%s: counted %+v, %v, about %d", name, tokens, reported, used.Said)
				}
				if deep && o.Collector.Completion().Tokens.Total != 14 {
					t.Errorf("%s: the answer has %+v", name, o.Collector.Completion().Tokens)
				}
			}
		}
	}
}

// A server that is asked for the usage reports in each chunk that there is none yet. A client that did not ask does not see
// this.
func TestNullUsageIsTakenOut(t *testing.T) {
	for passed, want := range map[string]string{
		`{"choices":[{"delta":{}}],"usage":null}`:               `{"choices":[{"delta":{}}]}`,
		`{"choices":[{"delta":{}}] , "usage" : null ,"x":1}`:    `{"choices":[{"delta":{}}]  ,"x":1}`,
		`{"usage": null, "choices":[{"delta":{}}]}`:             `{ "choices":[{"delta":{}}]}`,
		`{ "usage":null,"model":"up","choices":[{"delta":{}}]}`: `{ "model":"as","choices":[{"delta":{}}]}`,
		`{"choices":[{"delta":{}}],"usage":null,"model":"up"}`:  `{"choices":[{"delta":{}}],"model":"as"}`,
		`{"model":"up","choices":[{"delta":{}}],"usage":null}`:  `{"model":"as","choices":[{"delta":{}}]}`,
		// The gateway did not cause these.
		`{"choices":[{"delta":{}}],"us\u0061ge":null}`: `{"choices":[{"delta":{}}],"us\u0061ge":null}`,
		`{"choices":[{"usage":null,"delta":{}}]}`:      `{"choices":[{"usage":null,"delta":{}}]}`,
		`{"usage":null}`: `{"usage":null}`,
	} {
		for _, hide := range []bool{true, false} {
			if !hide {
				want = strings.Replace(passed, `"up"`, `"as"`, 1)
			}
			got, _ := through(t, newTapWith(llm.TapOptions{HideUsage: hide, Alias: "as"}), "data: "+passed+"\n\n")
			if got != "data: "+want+"\n\n" {
				t.Errorf("hidden %v: %s, want %s", hide, got, want)
			}
		}
	}
	over, _ := through(t, newTapWith(llm.TapOptions{HideUsage: true}), "data: {\"choices\":[{\"delta\":{}}],\ndata: \"usage\":\ndata: null}\n\n")
	if want := "data: {\"choices\":[{\"delta\":{}}]}\n\n"; over != want {
		t.Errorf("over several lines: %q, want %q", over, want)
	}
}

// A whole answer that passes is counted at every endpoint, by estimate if it reports no usage.
func TestWholeAnswersAreCounted(t *testing.T) {
	const (
		chat     = `"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":2},"total_tokens":14}`
		response = `"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}`
	)
	want := llm.Tokens{Prompt: 9, Completion: 5, Total: 14, Cached: 4, Reasoning: 2}
	vectors := llm.Tokens{Prompt: 8, Total: 8}
	for _, tt := range []struct {
		e             llm.Endpoint
		answer, usage string
		want          llm.Tokens
		about         int64
	}{
		{Dialect{}, `{"choices":[{"message":{"content":"Tea"}}],%}`, chat, want, 8},
		{Completions{}, `{"choices":[{"text":"Tea"}],%}`, chat, want, 4},
		{Responses{}, `{"status":"completed","output":[{"type":"x"}],%}`, response, want, 4},
		{Embeddings{}, `{"data":[],%}`, `"usage":{"prompt_tokens":8,"total_tokens":8}`, vectors, 0},
		{Embeddings{}, `{"data":[],%}`, `"usage":{"total_tokens":8}`, vectors, 0},
	} {
		for usage, reports := range map[string]bool{tt.usage: true, `"usage":null`: false, `"usage":7`: false} {
			used := llm.Used{}
			if _, err := tt.e.Rename([]byte(strings.Replace(tt.answer, "%", usage, 1)), "m", &used); err != nil {
				t.Fatal(err)
			}
			tokens, reported := used.Tokens()
			if reported != reports || reports && tokens != tt.want || used.Said != tt.about {
				t.Errorf("%T, %s: %+v, %v, about %d", tt.e, usage, tokens, reported, used.Said)
			}
		}
	}
}

// Parameters decide about the usage: if they ask for it, it is shown; if they leave it out, it is not requested.
func TestChatsThatAreCounted(t *testing.T) {
	const asks = `"stream_options":{"include_usage":true`
	for parameters, want := range map[string]struct{ asks, hides bool }{
		``:                        {true, true},
		`{"temperature":1}`:       {true, true},
		`{"stream_options":{}}`:   {true, true},
		`{"stream_options":null}`: {false, true},
		`{"stream_options":{"include_usage":false}}`: {false, true},
		`{"stream_options":{"include_usage":true}}`:  {true, false},
	} {
		for _, shown := range []bool{false, true} {
			c := &llm.Chat{Stream: true, CountUsage: true, IncludeUsage: shown}
			if parameters != "" {
				c.Parameters = []byte(parameters)
			}
			q, err := Dialect{}.AskChat(c, "m")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(q.Body), asks); got != want.asks || q.HideUsage != (want.hides && !shown) {
				t.Errorf("%s, shown %v: hidden %v in %s", parameters, shown, q.HideUsage, q.Body)
			}
		}
	}
}
