package enginetest

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

func bodyChecks() []check {
	return []check{
		{"bodies: limits", limits},
		{"bodies: a client is asked for one that it announces", asked},
		{"bodies: one that does not arrive", missingBodies},
		{"bodies: no memory for one", noMemory},
		{"bodies: two requests on one connection", twoRequests},
		{"bodies: an answer that repeats one", repeated},
		{"heads: what the policy learns of a request", heads},
		{"heads: what the policy adds to each answer", echoes},
	}
}

func limits(t *testing.T, s *stand) {
	t.Helper()
	const limit = 1 << 10
	p := replying()
	s.serve(p)
	for name, tt := range map[string]struct {
		request string
		status  int
		length  int
	}{
		"none":               {get, http.StatusOK, 0},
		"at the limit":       {post(strings.Repeat("x", limit)), http.StatusOK, limit},
		"in a chunk":         {chunked(strings.Repeat("x", limit)), http.StatusOK, limit},
		"above":              {post(strings.Repeat("x", limit+1)), http.StatusRequestEntityTooLarge, 0},
		"above, in a chunk":  {chunked(strings.Repeat("x", limit+1)), http.StatusRequestEntityTooLarge, 0},
		"announced as above": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", http.StatusRequestEntityTooLarge, 0},
	} {
		got := read(t, s.dial(tt.request))
		if got.status != tt.status || tt.status == http.StatusOK && len(got.text()) != tt.length {
			t.Errorf("%s: %d with %d bytes, want %d with %d", name, got.status, len(got.text()), tt.status, tt.length)
		}
		if tt.status == http.StatusOK {
			p.wants(t, relay.Replied, relay.NoFailure)
		}
	}
}

func asked(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	s.serve(p)
	conn := s.dial("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if got := read(t, conn); got.status != http.StatusContinue {
		t.Errorf("%+v", got)
	}
	send(conn, "abc")
	if got := read(t, conn); got.status != http.StatusOK || got.text() != "abc" {
		t.Errorf("%+v", got)
	}
	p.wants(t, relay.Replied, relay.NoFailure)
}

func missingBodies(t *testing.T, s *stand) {
	t.Helper()
	s.serve(replying())
	const half = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
	for _, request := range []string{missing, missing + "abc", half} {
		began := time.Now()
		if text := rest(t, s.dial(request), bounds.BodyTimeout+tidy); !strings.HasPrefix(text, "HTTP/1.1 408") {
			t.Errorf("after %q: %q", request, text)
		}
		if took := time.Since(began); took < bounds.BodyTimeout {
			t.Errorf("after %q: given up after %s", request, took)
		}
	}
}

// full is memory of which there is none.
type full struct{ relay.Memory }

// Reserve implements relay.Memory.
func (full) Reserve(context.Context, int) error { return relay.Failure{Kind: relay.FailedMemory} }

func noMemory(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	p.Memory = full{relay.Unlimited}
	s.serve(p)
	for _, request := range []string{post("abc"), chunked("abc")} {
		if got := read(t, s.dial(request)); got.status != http.StatusTooManyRequests {
			t.Errorf("%+v", got)
		}
	}
}

func twoRequests(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	s.serve(p)
	conn := s.dial(post("abc"))
	for _, body := range []string{"abc", "defg"} {
		if got := read(t, conn); got.status != http.StatusOK || got.text() != body || got.close {
			t.Errorf("%+v, want %q", got, body)
		}
		p.wants(t, relay.Replied, relay.NoFailure)
		if body == "abc" {
			send(conn, post("defg"))
		}
	}
}

// repeated: the memory of a body is the request's until its answer has been sent.
func repeated(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	p.limit = 1 << 20
	s.serve(p)
	for round := range 3 {
		for _, size := range []int{100, 5_000, 20_000, 100_000, 400_000} {
			line := string(rune('a'+round)) + "bcdefghi"
			body := strings.Repeat(line+"\n", size/len(line)) + line
			for how, request := range map[string]string{"whole": post(body), "in a chunk": chunked(body)} {
				if got := read(t, s.dial(request)); got.status != http.StatusOK || got.text() != body {
					t.Errorf("%s: %d with %d bytes, which are not the %d of the body", how, got.status, len(got.text()), len(body))
				}
				p.wants(t, relay.Replied, relay.NoFailure)
			}
		}
	}
}

func heads(t *testing.T, s *stand) {
	t.Helper()
	learned := make(chan relay.Head, 1)
	p := &script{decide: func(_ context.Context, r *relay.Request) relay.Verdict {
		learned <- r.Head
		return relay.Verdict{Reply: answer(http.StatusOK)}
	}}
	s.serve(p)
	read(t, s.dial("PUT /a%2Fb/c?d=%20 HTTP/1.1\r\nHost: shop.example:8080\r\nContent-Length: 0\r\nX-A: b\r\n\r\n"))
	p.wants(t, relay.Replied, relay.NoFailure)
	got, want := <-learned, relay.Head{
		Method: http.MethodPut, Path: "/a/b/c", EscapedPath: "/a%2Fb/c", RawQuery: "d=%20", Host: "shop.example:8080",
		Peer: peer.Addr().Unmap(), Header: http.Header{"Content-Length": {"0"}, "X-A": {"b"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// echoes: what the policy adds takes the place of an answer's own field, in every kind of answer, and changes neither.
func echoes(t *testing.T, s *stand) {
	t.Helper()
	own := http.Header{"X-A": {"own"}, "X-B": {"own"}}
	reply := relay.Verdict{Reply: &relay.Reply{Status: http.StatusOK, Header: own}}
	stream := play("c d")
	stream.Header = own
	p := replying()
	p.echo = []relay.Field{{Name: "X-A", Value: "echo"}}
	s.serve(p)
	for name, tt := range map[string]struct {
		verdict relay.Verdict
		admit   func(context.Context) *relay.Reply
	}{
		"a reply":   {verdict: reply},
		"a stream":  {verdict: relay.Verdict{Stream: stream}},
		"a refusal": {admit: func(context.Context) *relay.Reply { return reply.Reply }},
	} {
		p.admit, p.decide = tt.admit, func(context.Context, *relay.Request) relay.Verdict { return tt.verdict }
		text := rest(t, s.dial(strings.Replace(post("abc"), "\r\n", "\r\nConnection: close\r\n", 1)), tidy)
		if strings.Count(text, "X-A: echo\r\n") != 1 || strings.Count(text, "X-A: ") != 1 || strings.Count(text, "X-B: own\r\n") != 1 {
			t.Errorf("%s: %q", name, text)
		}
		if tt.admit == nil {
			<-p.outcomes
		}
	}
	if len(own["X-A"]) != 1 || own["X-A"][0] != "own" || len(p.echo) != 1 {
		t.Errorf("the answer's header became %v, and the policy's %v", own, p.echo)
	}
}
