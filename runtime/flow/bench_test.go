package flow

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/protocol"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// sameAnswer is an upstream that always gives the same answer.
type sameAnswer struct{ media, body string }

func (s sameAnswer) Do(context.Context, *upstream.Call) (*upstream.Answer, error) {
	return &upstream.Answer{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {s.media}}, Body: io.NopCloser(strings.NewReader(s.body)), Length: int64(len(s.body)),
	}, nil
}

// nowhere implements relay.Sink.
type nowhere struct{}

func (nowhere) Send([]byte, relay.EventKind) error { return nil }
func (nowhere) Reply(*relay.Reply) error           { return nil }

// BenchmarkChats answers requests of a route with one chat.
func BenchmarkChats(b *testing.B) {
	whole := func(text string) sameAnswer {
		return sameAnswer{"application/json", `{"id":"1","model":"real","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
			`","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`}
	}
	streamed := func(pieces int) sameAnswer {
		return sameAnswer{"text/event-stream", strings.Repeat(`data: {"model":"real","choices":[{"index":0,"delta":{"content":"token "},"finish_reason":null}]}`+"\n\n", pieces) +
			"data: [DONE]\n\n"}
	}
	said := answering(`"${steps.s.text}"`, `{"name":"s",`+chatOf("a")+`}`)
	for _, row := range []struct {
		name, route string
		client      sameAnswer
	}{
		{"short", said, whole("Hello! How can I assist you today?")},
		{"long", said, whole(strings.Repeat(`It is tea.\n`, 20_000))},
		{"streamed", streaming(`"stream":"s","format":"JSON","schema":{"type":"string"}`, `{"name":"s",`+chatOf("a")+`}`), streamed(200)},
	} {
		b.Run(row.name, func(b *testing.B) {
			route := routeOf(b, row.client, row.route)
			request := func() *relay.Request {
				head := relay.Head{Method: http.MethodPost, Path: "/", Header: http.Header{"Content-Type": {"application/json"}}}
				return &relay.Request{Head: head, Body: []byte(hi)}
			}
			b.ReportAllocs()
			for b.Loop() {
				v := route.Decide(b.Context(), request())
				switch {
				case v.Stream != nil:
					if err := v.Stream.Run(b.Context(), nowhere{}); err != nil {
						b.Fatal(err)
					}
				case v.Produce == nil:
					b.Fatalf("%s", v.Reply.Body)
				default:
					if reply := v.Produce(b.Context()); reply.Status != http.StatusOK {
						b.Fatalf("%s", reply.Body)
					}
				}
			}
		})
	}
}

// A route with schemas, a template and one chat has a bounded number of allocations for a request, with those for its upstream.
func TestAllocationsOfWholeAnswers(t *testing.T) {
	const most = 110 // 85, and more under the race detector, where pools lose a quarter of what they are given
	object := func(of string) string {
		return `{"type":"object","properties":{"` + of + `":{"type":"string","minLength":1}},"required":["` + of + `"],"additionalProperties":false}`
	}
	route := routeOf(t, sameAnswer{"application/json", `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello!"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`},
		strings.Replace(answering(`{"said":"${steps.s.text}"}`, `{"name":"s",`+chatOf("a")+`}`), `"response":{`,
			`"request":{"schema":`+object("q")+`},"response":{"schema":`+object("said")+`,`, 1))
	ctx, head := t.Context(), relay.Head{Method: http.MethodPost, Path: "/", Header: http.Header{"Content-Type": {"application/json"}}}
	n := testing.AllocsPerRun(100, func() {
		v := route.Decide(ctx, &relay.Request{Head: head, Body: []byte(hi)})
		if v.Produce == nil {
			t.Fatalf("%s", v.Reply.Body)
		}
		if reply := v.Produce(ctx); string(reply.Body) != `{"said":"Hello!"}` {
			t.Fatalf("%s", reply.Body)
		}
	})
	if n > most {
		t.Errorf("%v allocations, want at most %v", n, most)
	}
}

// routeOf is a route whose upstream "a" is the given client.
func routeOf(b testing.TB, client upstream.Doer, route string) *Route {
	b.Helper()
	up := upstream.New(upstream.Options{
		Name: "a", Model: "real", Dialect: openai.Dialect{}, Endpoints: upstream.Members{{Endpoint: &upstream.Endpoint{URL: "http://a"}}},
		Timeouts: upstream.Timeouts{FirstToken: time.Minute, Idle: time.Minute, Total: time.Minute},
	})
	routes, err := Compile(compiled(b, settings{}, route), &Environment{
		Client: client, Upstreams: map[string]*upstream.Upstream{"a": up}, Fronts: protocol.Formats(), MaxStreamDuration: time.Minute,
		Heavy:         func(context.Context, int) (func(), error) { return func() {}, nil },
		Observe:       func(string, relay.Failure) {},
		Report:        func(_ *requestlog.Record, _ string, err error) { b.Error(err) },
		Panicked:      func(string, []byte) {},
		InvalidAnswer: func(string) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	return routes[0]
}
