package front

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/runtime/wire"
	"github.com/llmservice/llmservice/test/parley"
)

// tongue is a dialect, with a request in it and the answers of an upstream that speaks it.
type tongue struct {
	front llm.Front
	// asks has a verb for further members, such as live, which asks for a stream.
	asks, live    string
	whole, stream string
	refusal       string
}

const calls = `"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}]`

var tongues = map[string]tongue{
	"openai": {
		front: openai.Dialect{},
		asks: `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"temperature":0.5,` +
			`"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}]%s}`,
		live:    `,"stream":true,"stream_options":{"include_usage":true}`,
		whole:   `{"model":"real","choices":[{"message":{"role":"assistant","content":"so",` + calls + `},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`,
		stream:  `data: {"model":"real","choices":[{"delta":{"role":"assistant","content":"so"}}]}` + "\n\n" + `data: {"model":"real","choices":[{"delta":{` + calls + `},"finish_reason":"tool_calls"}]}` + "\n\n" + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}` + "\n\ndata: [DONE]\n\n",
		refusal: `{"error":{"message":"HIS WORDS"}}`,
	},
	"parley": {
		front: parley.Dialect{},
		asks: `{"brain":"m","talk":[{"who":"human","say":"hi"}],"cap":9,"heat":0.5,` +
			`"gear":[{"label":"find","shape":{"type":"object"}}]%s}`,
		live:  `,"live":true`,
		whole: `{"brain":"real","bot":{"who":"bot","say":"so","asks":[{"ref":"c1","gear":"find","with":{"q":1}}]},"ended":"gear","spent":{"in":3,"out":4}}`,
		stream: "event: hello\ndata: {\"brain\":\"real\"}\n\nevent: say\ndata: {\"bit\":\"so\"}\n\n" +
			"event: ask\ndata: {\"at\":0,\"ref\":\"c1\",\"gear\":\"find\",\"bit\":\"{\\\"q\\\":1}\"}\n\n" +
			"event: bye\ndata: {\"ended\":\"gear\",\"spent\":{\"in\":3,\"out\":4}}\n\n",
		refusal: `{"oops":"HIS WORDS"}`,
	},
}

// models implements upstream.Doer for hosts that are named after their dialect, or after the status with which they refuse.
type models struct{ asked []*upstream.Call }

func (m *models) Do(_ context.Context, c *upstream.Call) (*upstream.Answer, error) {
	m.asked = append(m.asked, c)
	u, _ := url.Parse(c.URL)
	speaks, _, refuses := strings.Cut(u.Host, ".")
	answer := func(status int, media, body string) (*upstream.Answer, error) {
		return &upstream.Answer{Status: status, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	switch up := tongues[speaks]; {
	case refuses && u.Host == speaks+".busy":
		return answer(503, "application/json", up.refusal)
	case refuses:
		return answer(400, "application/json", up.refusal)
	case c.Header.Get("Accept") == "text/event-stream":
		return answer(200, "text/event-stream", up.stream)
	default:
		return answer(200, "application/json", up.whole)
	}
}

// kept implements relay.Sink.
type kept struct{ strings.Builder }

func (k *kept) Send(events []byte, _ relay.EventKind) error {
	k.Write(events)
	return nil
}

func (*kept) Reply(*relay.Reply) error { return nil }

// ask puts a request to a model that stands for upstreams of these hosts.
func ask(t *testing.T, client *models, front llm.Front, body string, hosts ...string) (status int, answer string) {
	t.Helper()
	m := Model{Name: "m"}
	for _, host := range hosts {
		speaks, _, _ := strings.Cut(host, ".")
		m.Upstreams = append(m.Upstreams, upstream.New(upstream.Options{
			Name: host, Model: "real", Dialect: tongues[speaks].front, Passes: tongues[speaks].front.Endpoints(),
			Endpoints: upstream.Members{{Endpoint: &upstream.Endpoint{URL: "http://" + host}}},
			Timeouts:  upstream.Timeouts{FirstToken: time.Minute, Idle: time.Minute, Total: time.Minute},
		}))
	}
	e := &Endpoints{
		Front: front, Prefix: "/x", Client: client, MaxStreamDuration: time.Minute,
		Secrets: func() []string { return nil }, Models: []Model{m},
	}
	routes, err := e.Routes()
	if err != nil || routes[0].Path != "/x"+front.Path() {
		t.Fatal(routes, err)
	}
	head := relay.Head{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}}
	switch v := routes[0].Decide(t.Context(), &relay.Request{Head: head, Body: []byte(body), Memory: relay.Unlimited}); {
	case v.Stream != nil:
		var out kept
		if err := v.Stream.Run(t.Context(), &out); err != nil {
			refused := v.Stream.Refuse(err)
			return refused.Status, string(refused.Body)
		}
		return 200, out.String()
	case v.Produce != nil:
		reply := v.Produce(t.Context())
		return reply.Status, string(reply.Body)
	default:
		return v.Reply.Status, string(v.Reply.Body)
	}
}

// heard reads an answer as its client does.
func heard(t *testing.T, d llm.Dialect, streamed bool, answer string) *llm.Completion {
	t.Helper()
	if !streamed {
		done, err := d.ReadCompletion([]byte(answer))
		if err != nil {
			t.Fatalf("%v in %s", err, answer)
		}
		return done
	}
	parser := wire.NewParser(1 << 20)
	if err := parser.Write([]byte(answer)); err != nil {
		t.Fatal(err)
	}
	collector := llm.NewCollector(func(int) error { return nil })
	tap := llm.NewTap(d, llm.TapOptions{Collector: collector})
	var last relay.EventKind
	for f, ok := parser.Next(); ok; f, ok = parser.Next() {
		_, last = tap.Frame(nil, &f)
	}
	if last != relay.Done {
		t.Errorf("the stream ends with %v:\n%s", last, answer)
	}
	return collector.Completion()
}

// A model's upstreams may speak several dialects, and its clients get their own. From upstreams of the same dialect, bytes
// pass, except for the model's name.
func TestModelsOfSeveralDialects(t *testing.T) {
	want := &llm.Completion{
		Text: "so", FinishReason: "tool_calls", ToolCalls: []llm.ToolCall{{ID: "c1", Name: "find", Arguments: `{"q":1}`}},
		Tokens: llm.Tokens{Prompt: 3, Completion: 4, Total: 7},
	}
	for client, c := range tongues {
		for last, up := range tongues {
			for _, more := range []string{"", c.live} {
				for _, before := range []string{"openai.busy", "parley.busy", ""} {
					t.Run(fmt.Sprint(client, " ", before, " ", last, more), func(t *testing.T) {
						hosts := strings.Fields(before + " " + last)
						var m models
						status, answer := ask(t, &m, c.front, fmt.Sprintf(c.asks, more), hosts...)
						if status != 200 || len(m.asked) != len(hosts) || !strings.Contains(answer, `"m"`) || strings.Contains(answer, "real") {
							t.Fatalf("%d %s after %d calls", status, answer, len(m.asked))
						}
						done := heard(t, c.front, more != "", answer)
						done.Message, done.Usage = nil, nil
						if diff := cmp.Diff(want, done); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
						}
						own := up.whole
						if more != "" {
							own = up.stream
						}
						if passed := strings.ReplaceAll(own, "real", "m"); client == last && answer != passed {
							t.Errorf("passed as %s, want %s", answer, passed)
						}
						heardBy(t, m.asked[len(hosts)-1], last)
					})
				}
			}
		}
	}
}

// heardBy checks that an upstream was asked in its own dialect.
func heardBy(t *testing.T, c *upstream.Call, speaks string) {
	t.Helper()
	r, wrong := tongues[speaks].front.ReadRequest(c.Body.Joined())
	if wrong != nil {
		t.Fatalf("%v in %s", wrong, c.Body.Joined())
	}
	chat, wrong := r.Chat()
	if model, _ := r.Wants(); wrong != nil || model != "real" || !strings.HasSuffix(c.URL, tongues[speaks].front.Path()) {
		t.Fatalf("%v, %s %s", wrong, c.URL, c.Body.Joined())
	}
	if len(chat.Messages) != 1 || chat.MaxTokens != 9 || *chat.Temperature != 0.5 || len(chat.Tools) != 1 || chat.Tools[0].Name != "find" {
		t.Errorf("asked %s", c.Body.Joined())
	}
}

// A member that another protocol cannot express is not silently left out: another upstream is asked, or the client gets an
// error.
func TestWhatAnotherDialectCannotBeAsked(t *testing.T) {
	for client, tt := range map[string]struct{ more, param, other string }{
		"openai": {`,"logprobs":true`, `"param":"logprobs"`, "parley"},
		"parley": {`,"mood":"glad"`, "mood", "openai"},
	} {
		c := tongues[client]
		for _, live := range []string{"", c.live} {
			var m models
			status, answer := ask(t, &m, c.front, fmt.Sprintf(c.asks, tt.more+live), tt.other)
			if status != 400 || len(m.asked) != 0 || client == "openai" && !strings.Contains(answer, tt.param) {
				t.Errorf("%s alone: %d %s after %d calls", client, status, answer, len(m.asked))
			}
			if status, answer = ask(t, &m, c.front, fmt.Sprintf(c.asks, tt.more+live), tt.other, client); status != 200 || len(m.asked) != 1 {
				t.Errorf("%s, with another: %d %s after %d calls", client, status, answer, len(m.asked))
			}
		}
	}
	for client, other := range map[string]string{"openai": "parley", "parley": "openai"} {
		more := map[string]string{"openai": `,"logprobs":true`, "parley": `,"mood":"glad"`}[client]
		for _, hosts := range [][]string{{client + ".busy", other}, {other, client + ".busy"}} {
			var m models
			if status, answer := ask(t, &m, tongues[client].front, fmt.Sprintf(tongues[client].asks, more), hosts...); status != 503 {
				t.Errorf("%s of %v: %d %s, want what the one that was asked has answered", client, hosts, status, answer)
			}
		}
	}
	image := strings.Replace(tongues["openai"].asks, `"hi"`, `[{"type":"image_url","image_url":{"url":"data:"}}]`, 1)
	var m models
	if status, answer := ask(t, &m, openai.Dialect{}, fmt.Sprintf(image, ""), "parley"); status != 400 || len(m.asked) != 0 {
		t.Errorf("an image: %d %s after %d calls", status, answer, len(m.asked))
	}
}

// A client gets an upstream's own words of a refusal only if they are about the request that the client itself has sent.
func TestRefusalsInAnotherDialect(t *testing.T) {
	for client, c := range tongues {
		for up := range tongues {
			for _, live := range []string{"", c.live} {
				var m models
				status, answer := ask(t, &m, c.front, fmt.Sprintf(c.asks, live), up+".no")
				if own := client == "openai" && up == "openai"; status != 400 || strings.Contains(answer, "HIS WORDS") != own {
					t.Errorf("%s to %s: %d %s", client, up, status, answer)
				}
			}
		}
	}
}

// It ends with the usage only if the client has asked for it, as it does if bytes pass.
func TestUsageOfATranslatedStream(t *testing.T) {
	c := tongues["openai"]
	for options, want := range map[string]bool{"": false, `,"stream_options":{"include_usage":true}`: true} {
		var m models
		_, answer := ask(t, &m, c.front, fmt.Sprintf(c.asks, `,"stream":true`+options), "parley")
		if got := strings.Contains(answer, `"usage":{`); got != want {
			t.Errorf("%q: the stream has a usage: %v, want %v:\n%s", options, got, want, answer)
		}
	}
}
