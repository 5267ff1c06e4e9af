package flow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// environment has one upstream, "fast", whose answers are the function's.
func environment(do func(*relay.Call) (*relay.Answer, error)) (*Environment, *[]string) {
	var known upstream.Endpoints
	reports := &[]string{}
	return &Environment{
		Client: clientFunc(do),
		Upstreams: map[string]*upstream.Upstream{"fast": upstream.New(upstream.Options{
			Name: "fast", Model: "m", Endpoints: []*upstream.Endpoint{known.Get("http://fast/v1")},
			Timeouts: upstream.Timeouts{Connect: time.Second, FirstToken: time.Second, Idle: time.Second, Total: time.Minute},
		})},
		MaxStreamDuration: time.Minute,
		Heavy:             func(context.Context, int) (func(), error) { return func() {}, nil },
		Report:            func(route string, err error) { *reports = append(*reports, route+": "+err.Error()) },
	}, reports
}

type clientFunc func(*relay.Call) (*relay.Answer, error)

func (f clientFunc) Do(_ context.Context, c *relay.Call) (*relay.Answer, error) { return f(c) }

func route(method string, response *config.Response, content string) *config.Route {
	return &config.Route{
		Path: "/r", Method: method, Timeout: config.Duration(time.Minute), Response: response,
		Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{
			Upstream: "fast", Messages: []config.Message{{Role: "user", Content: content}},
			Parameters: []byte(`{"temperature":0}`),
		}}}},
	}
}

func body(text string) *relay.Answer {
	return &relay.Answer{Status: 200, Header: http.Header{}, Body: readCloser{strings.NewReader(text)}}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestARouteWithoutABody(t *testing.T) {
	var asked string
	env, _ := environment(func(c *relay.Call) (*relay.Answer, error) {
		asked = string(c.Body)
		return body(`{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`), nil
	})
	whole := &config.Response{Body: []byte(`{"text":"${steps.answer.text}","why":"${steps.answer.finishReason}","role":"${steps.answer.message.role}"}`)}
	r, err := Compile(route("GET", whole, "${request.method} ${request.path} ${request.body == null}"), env)
	if err != nil {
		t.Fatal(err)
	}
	v := r.Decide(t.Context(), &relay.Request{Head: relay.Head{Method: "GET", Path: "/r", Header: http.Header{}}})
	reply := v.Produce(t.Context())
	if got, want := string(reply.Body), `{"text":"hi","why":"stop","role":"assistant"}`; reply.Status != 200 || got != want {
		t.Errorf("%d %s, want %s", reply.Status, got, want)
	}
	if want := `{"model":"m","messages":[{"role":"user","content":"GET /r true"}],"temperature":0}`; asked != want {
		t.Errorf("asked with %s, want %s", asked, want)
	}
}

func TestAStreamedRouteIsRelayed(t *testing.T) {
	env, _ := environment(nil)
	r, err := Compile(route("POST", &config.Response{Stream: "answer"}, "${request.body.q}"), env)
	if err != nil {
		t.Fatal(err)
	}
	v := r.Decide(t.Context(), &relay.Request{
		Head: relay.Head{Method: "POST", Path: "/r", Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}},
		Body: []byte(`{"q":"hi"}`),
	})
	if v.Relay == nil || v.Reply != nil || v.Produce != nil {
		t.Fatalf("verdict %+v", v)
	}
	if v.Relay.Timeout != time.Minute || v.Relay.MaxDuration != time.Minute {
		t.Errorf("bounds %s and %s", v.Relay.Timeout, v.Relay.MaxDuration)
	}
	attempt, _ := v.Relay.Next(relay.Failure{})
	var sent struct {
		Stream   bool `json:"stream"`
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(attempt.Call.Body, &sent); err != nil || !sent.Stream || sent.Messages[0].Content != "hi" {
		t.Errorf("asks with %s (%v)", attempt.Call.Body, err)
	}
}

func TestFaultsOfTheGatewayAreReported(t *testing.T) {
	env, reports := environment(func(*relay.Call) (*relay.Answer, error) {
		return body(`{"choices":[{"message":{"content":"hi"}}]}`), nil
	})
	r, err := Compile(route("POST", &config.Response{Body: []byte(`"${steps.answer.usage.total_tokens}"`)}, "x"), env)
	if err != nil {
		t.Fatal(err)
	}
	v := r.Decide(t.Context(), &relay.Request{Head: relay.Head{Method: "POST", Header: http.Header{}}})
	if reply := v.Produce(t.Context()); reply.Status != 500 || len(*reports) != 1 {
		t.Errorf("%d %s, reports %q", reply.Status, reply.Body, *reports)
	}
	env.Heavy = func(context.Context, int) (func(), error) { return nil, errors.New("no worker") }
	refused := r.Decide(t.Context(), &relay.Request{Head: relay.Head{Method: "POST", Header: http.Header{}}, Body: []byte(`{}`)})
	if refused.Reply == nil || refused.Reply.Status != 500 {
		t.Errorf("without a worker: %+v", refused)
	}
}

func TestCompileRefusesWhatValidateMissed(t *testing.T) {
	env, _ := environment(nil)
	whole := &config.Response{Body: []byte(`1`)}
	bad := route("POST", whole, "x")
	bad.Request = &config.Request{Schema: []byte(`{"type":1}`)}
	unknown := route("POST", whole, "x")
	unknown.Steps[0].Chat.Upstream = "slow"
	for name, r := range map[string]*config.Route{
		"a schema": bad, "an upstream": unknown, "a template": route("POST", whole, "${"),
		"a body": route("POST", &config.Response{Body: []byte(`"${nope}"`)}, "x"),
	} {
		if _, err := Compile(r, env); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
