package gateway

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openai/openai-go/v3"
	sdk "github.com/openai/openai-go/v3/option"

	"github.com/llmservice/llmservice/runtime/config"
)

// answering is an upstream that answers byte for byte, streams and whole, and counts how often it was asked.
type answering struct {
	stream, whole string
	asked         atomic.Int64
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked.Add(1)
	if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, a.stream)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, a.whole)
}

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// asText adds a route that streams plain text, and lets the whole answer do without usage.
func asText(c *config.Config) *config.Config {
	route := c.Routes[0]
	route.Path, route.Response = "/text", &config.Response{Stream: "answer", Format: "Text"}
	c.Routes = append(c.Routes, route)
	c.Routes[1].Response = &config.Response{Body: []byte(`{"answer":"${steps.answer.text}"}`)}
	return c
}

const hi = `{"question":"hi"}`

// TestOddAnswersAreAnswers: what one upstream answers is an answer on every route, streamed and whole, and passes byte for
// byte where it is relayed.
func TestOddAnswersAreAnswers(t *testing.T) {
	chunk := func(delta string) string { return `{"model":"m","choices":[{"index":0,"delta":{` + delta + `}}]}` }
	const tea, done = `data: {"model":"m","choices":[{"index":0,"delta":{"content":"Tea"}}]}` + "\n\n", "data: [DONE]\n\n"
	whole := func(message string) string { return `{"model":"m","choices":[{"message":{` + message + `}}]}` }
	for name, tt := range map[string]struct{ stream, whole, text string }{
		"an event of a type before content": {"event: agent.tool.progress\ndata: {\"tool\":\"search\"}\n\n" + tea + done, whole(`"content":"Tea"`), "Tea"},
		"events of a type between":          {tea + "event: agent.tool.progress\ndata: {\"tool\":\"search\"}\n\n" + tea + done, whole(`"content":"TeaTea"`), "TeaTea"},
		"chunks under a type":               {"event: chat.completion.chunk\n" + tea + done, whole(`"content":"Tea"`), "Tea"},
		"empty data, ids, retries":          {"data:\n\nid: 7\nretry: 3\n\n: hi\n\n" + tea + "data: \n\nid: 8\n" + tea + done, whole(`"content":"TeaTea"`), "TeaTea"},
		"a member twice": {
			"data: " + chunk(`"reasoning_content":"hm","reasoning_content":"hm"`) + "\n\ndata: " + chunk(`"content":"no","content":"Tea"`) + "\n\n" + done,
			whole(`"reasoning_content":"hm","reasoning_content":"hm","content":"no","content":"Tea"`), "Tea",
		},
		"half a pair": {"data: " + chunk(`"content":"a \ud83c"`) + "\n\n" + tea + done, whole(`"content":"a \ud83cTea"`), "a \uFFFDTea"},
		"a pair over two chunks": {
			"data: " + chunk(`"content":"a \ud83c"`) + "\n\ndata: " + chunk(`"content":"\udf75"`) + "\n\n" + done, whole(`"content":"a \ud83c\udf75"`), "a 🍵",
		},
		"invalid UTF-8": {"data: " + chunk("\"content\":\"a\xff\"") + "\n\n" + done, whole("\"content\":\"a\xff\""), "a\uFFFD"},
		"content in parts": {
			"data: " + chunk(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]`) + "\n\n" + tea + "data: " +
				chunk(`"content":[{"type":"reference","reference_ids":[1]},{"type":"text","text":" is"}]`) + "\n\n" + done,
			whole(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Tea is"}]`), "Tea is",
		},
		"no text at all":              {"data: " + chunk(`"role":"assistant"`) + "\n\n" + done, whole(`"role":"assistant"`), ""},
		"an error of no text":         {strings.ReplaceAll(tea, `"model"`, `"error":"","model"`) + done, `{"error":{},` + whole(`"content":"Tea"`)[1:], "Tea"},
		"a byte order mark":           {"\xEF\xBB\xBF" + tea + done, "\xEF\xBB\xBF" + whole(`"content":"Tea"`), "Tea"},
		"blanks around the end":       {tea + "data:   [DONE] \n\n", whole(`"content":"Tea"`), "Tea"},
		"an end without a blank line": {tea + "data: [DONE]", whole(`"content":"Tea"`), "Tea"},
		"values of other types": {
			`data: {"id":null,"created":"now","model":"m","choices":[{"index":"0","delta":{"content":7},"finish_reason":0,"logprobs":NaN}],"usage":[1]}` + "\n\n" + done,
			`{"id":null,"created":"now","model":"m","choices":[{"index":"0","message":{"content":7},"finish_reason":0,"logprobs":NaN}],"usage":"free"}`, "7",
		},
		"an image of 1.5 MB": {
			"data: " + chunk(`"images":[{"image_url":{"url":"data:image/png;base64,`+strings.Repeat("A", 1500000)+`"}}]`) + "\n\n" + tea + done,
			whole(`"images":[{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 900000) + `"}}],"content":"Tea"`), "Tea",
		},
	} {
		t.Run(name, func(t *testing.T) {
			second := &answering{}
			r := start(t, asText(assistant(serve(t, &answering{stream: tt.stream, whole: tt.whole}), serve(t, second))))
			renamed := func(s string) string {
				return strings.ReplaceAll(strings.TrimPrefix(s, "\xEF\xBB\xBFdata"), `"model":"m"`, `"model":"assistant"`)
			}
			stream := renamed(tt.stream)
			if strings.HasSuffix(stream, "[DONE]") {
				stream += "\n\n"
			}
			if got := text(t, r.post("/v1/chat/completions", completion(true, "{}"))); strings.TrimPrefix(got, "data") != strings.TrimPrefix(stream, "data") {
				t.Errorf("streamed on /v1: %.300q", got)
			}
			if got := text(t, r.post("/v1/chat/completions", completion(false, "{}"))); got != renamed(tt.whole) {
				t.Errorf("whole on /v1: %.300q", got)
			}
			if got := strings.Join(dataBefore(text(t, r.post("/text", hi)), "event: done"), ""); got != tt.text {
				t.Errorf("streamed as text: %q, want %q", got, tt.text)
			}
			if got := text(t, r.post("/answer", hi)); got != `{"answer":"`+tt.text+`"}` {
				t.Errorf("whole: %s, want %q", got, tt.text)
			}
			if n := second.asked.Load(); n != 0 || strings.Contains(r.logs.String(), "attempt failed") {
				t.Errorf("the second upstream was asked %d times; logs %s", n, r.logs)
			}
		})
	}
}

// dataBefore lists the data of a text's lines up to the given one.
func dataBefore(stream, end string) []string {
	var all []string
	for line := range strings.Lines(stream) {
		if strings.HasPrefix(line, end) {
			return all
		}
		if data, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: "); ok {
			all = append(all, data)
		}
	}
	return append(all, "(no end)")
}

// TestAnswersThatFail: an answer that fails does so streamed and whole, another upstream is asked, and the log has its kind,
// and what is wrong and where, without a word of the upstream's.
func TestAnswersThatFail(t *testing.T) {
	const tea = `data: {"choices":[{"delta":{"content":"Tea"}}]}` + "\n\n"
	for name, tt := range map[string]struct{ stream, whole, streamed, wholly string }{
		"an end and nothing else": {
			"data: [DONE]\n\n", `{"choices":[]}`, "malformed: chunk 1: the end came before any choice", "malformed: read completion: it has no choices",
		},
		"no choice, and a mistake told otherwise": {
			"data: {\"choices\":null,\"error_message\":\"MARK\"}\n\ndata: [DONE]\n\n", `{"choices":null,"error_message":"MARK"}`,
			"malformed: chunk 2: the end came before any choice", "malformed: read completion: it has no choices",
		},
		"an error": {
			"data: {\"error\":{\"message\":\"MARK\"}}\n\n", `{"error":{"message":"MARK"}}`,
			"error_event: chunk 1: the upstream reported an error", "error_event: the upstream reported an error",
		},
		"an error beside choices": {
			"data: {\"choices\":[{}],\"error\":\"MARK\"}\n\n", `{"choices":[{"message":{"content":"a"}}],"error":"MARK"}`,
			"error_event: chunk 1: the upstream reported an error", "error_event: the upstream reported an error",
		},
		"an event of the type error": {
			"event: error\ndata: MARK\n\n", `{"error":true}`, "error_event: chunk 1: the upstream sent an event of the type error", "error_event: the upstream reported an error",
		},
		"no JSON": {
			": hi\n\ndata: {\"choices\":[]}\n\ndata: {\"MARK\n\n", `{"MARK`, "malformed: chunk 2: it is not valid JSON at byte 6", "malformed: read completion: it is not valid JSON at byte 6",
		},
		"no end": {strings.Replace(tea, "Tea", "", 1), ``, "truncated: the stream ended without the mark of its end", "malformed: the answer has no body"},
	} {
		t.Run(name, func(t *testing.T) {
			first := &answering{stream: tt.stream, whole: tt.whole}
			r := start(t, asText(assistant(serve(t, first), serve(t, &answering{stream: tea + "data: [DONE]\n\n", whole: `{"choices":[{"message":{"content":"Tea"}}]}`}))))
			for _, streamed := range []bool{true, false} {
				if resp := r.post("/v1/chat/completions", completion(streamed, "{}")); resp.StatusCode != 200 || !strings.Contains(text(t, resp), "Tea") {
					t.Errorf("streamed %t: status %d", streamed, resp.StatusCode)
				}
			}
			for _, path := range []string{"/text", "/stream", "/answer"} {
				if resp := r.post(path, hi); resp.StatusCode != 502 || strings.Contains(text(t, resp), "MARK") {
					t.Errorf("%s: status %d", path, resp.StatusCode)
				}
			}
			logs := r.logs.String()
			if !strings.Contains(logs, tt.streamed+`"`) || !strings.Contains(logs, tt.wholly+`"`) || strings.Contains(logs, "MARK") {
				t.Errorf("want %s and %s in the log:\n%s", tt.streamed, tt.wholly, logs)
			}
			if n := first.asked.Load(); n != 5 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

// TestTheStandardLibrarysLogIsNotKept: its transport quotes what comes on a connection if nothing was asked for.
func TestTheStandardLibrarysLogIsNotKept(t *testing.T) {
	r := start(t, assistant(serve(t, &answering{})))
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "MARK", nil)
	if logs := r.logs.String(); !strings.Contains(logs, "the standard library reported a fault") || strings.Contains(logs, "MARK") {
		t.Errorf("logged %s", logs)
	}
}

// numbered answers with the stream whose number the question has.
type numbered []string

var number = regexp.MustCompile(`stream (\d+)`)

func (n numbered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i, _ := strconv.Atoi(string(number.FindSubmatch(body)[1]))
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, n[i])
}

// oddities are pieces of streams, of which the SDK reads some and refuses others.
var oddities = []string{
	"data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Tea\"}}]}\n\n",
	"data:{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" is\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\n",
	"event: progress\ndata: {\"tool\":\"search\"}\n\n", "event: chat.completion.chunk\ndata: {\"choices\":[{\"delta\":{\"content\":\"!\"}}]}\n\n",
	": comment\n\n", "data:\n\n", "data: \n\n", "data\n\n", "id: 1\n\n", "id: 1\nretry: 5\ndata: {\"choices\":[]}\n\n", "retry: x\n\n", "foo: bar\n\n", "\n", "\r\n",
	"data: {\"choices\":null}\n\n", "data: {}\n\n", "data: {\"choices\":[{}]}\n\n", "data: {\"choices\":[{\"delta\":null}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":null}}]}\n\n",
	"data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"b\"}}],\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\n\n",
	"data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83c\"}}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"\\udf75\"}}]}\n\n",
	"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":7}}]}\n\n",
	"data: {\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}}]}\n\n",
	"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":1,\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]}}]}\n\n",
	"data: {\"choices\":[{\"delta\":{\"reasoning\":{\"a\":1,\"a\":2}}}],\"model\":\"m\",\"model\":\"m\"}\n\n",
	"data: {\"choices\":\ndata: [{\"delta\":\ndata: {\"content\":\"lines\"}}]}\n\n", "data: null\n\n", "data: [1]\n\n", "data: \"text\"\n\n",
	"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"error\":null}\n\n", "data: {\"error\":{\"message\":\"x\"}}\n\n", "event: error\ndata: {}\n\n",
	"data: hello\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"cut\n\n", "data: {\"usage\":{\"total_tokens\":\"3\"},\"choices\":[]}\n\n",
}

// TestStreamsAreReadAsTheSDKReadsThem: a stream that OpenAI's own client reads from the upstream to its end it also reads
// through the gateway, with the same text. Streams are put together at random, so that oddities meet.
func TestStreamsAreReadAsTheSDKReadsThem(t *testing.T) {
	const tea, done = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Tea\"}}]}\n\n", "data: [DONE]\n\n"
	random := rand.New(rand.NewPCG(1, 2))
	var streams numbered
	for _, odd := range oddities {
		streams = append(streams, odd+tea+done, tea+odd+done)
	}
	for range 150 {
		stream := ""
		for range 1 + random.IntN(6) {
			stream += oddities[random.IntN(len(oddities))]
		}
		streams = append(streams, stream+done)
	}
	url := serve(t, streams)
	r := start(t, assistant(url))
	read := 0
	for i, stream := range streams {
		want, direct := sdkReads(t, url, "m", i)
		got, through := sdkReads(t, r.url+"/v1", "assistant", i)
		switch {
		// Beyond the SDK, an event of the type error is one, and so is an end before any choice.
		case direct != nil || !strings.Contains(stream, `"choices":[{`) || strings.Contains(stream, "event: error"):
			if through == nil && strings.Contains(stream, `"error":{`) {
				t.Errorf("%q: an error was hidden", stream)
			}
		case through != nil || got != want:
			t.Errorf("%q: directly %q, through the gateway %q, %v", stream, want, got, through)
		default:
			read++
		}
	}
	if read < len(streams)/4 {
		t.Errorf("only %d of %d streams were read", read, len(streams))
	}
}

func sdkReads(t *testing.T, url, model string, i int) (string, error) {
	t.Helper()
	client := openai.NewClient(sdk.WithBaseURL(url), sdk.WithAPIKey("unused"), sdk.WithMaxRetries(0), sdk.WithRequestTimeout(patience))
	stream := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
		Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(fmt.Sprintf("stream %d", i))},
	})
	defer stream.Close()
	var said strings.Builder
	for stream.Next() {
		for _, c := range stream.Current().Choices {
			said.WriteString(c.Delta.Content)
		}
	}
	return said.String(), stream.Err()
}
