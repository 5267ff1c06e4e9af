package enginetest

import (
	"context"
	"net/http"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
)

func panicChecks() []check {
	return []check{
		{"panics: as an exchange begins", func(t *testing.T, s *stand) {
			t.Helper()
			panics(t, s, func(p *script) { p.begin = func() { panic("begin") } }, 0)
		}},
		{"panics: in an admission", func(t *testing.T, s *stand) {
			t.Helper()
			panics(t, s, func(p *script) { p.admit = func(context.Context) *relay.Reply { panic("admit") } }, 0)
		}},
		{"panics: in a decision", func(t *testing.T, s *stand) {
			t.Helper()
			panics(t, s, func(p *script) { p.decide = func(context.Context, *relay.Request) relay.Verdict { panic("decide") } }, 0)
		}},
		{"panics: in a reply that is worked out", func(t *testing.T, s *stand) {
			t.Helper()
			panics(t, s, func(p *script) {
				p.decide = func(context.Context, *relay.Request) relay.Verdict {
					return relay.Verdict{Produce: func(context.Context) *relay.Reply { panic("produce") }}
				}
			}, 1)
		}},
	}
}

// panics has a request panic, and then another one that does not.
func panics(t *testing.T, s *stand, change func(*script), outcomes int) {
	t.Helper()
	p := replying()
	ordinary := p.decide
	change(p)
	s.serve(p)
	for _, request := range []string{get, post("abc")} {
		if got := read(t, s.dial(request)); got.status != http.StatusInternalServerError || got.text() != "reply" || got.cut {
			t.Errorf("after %q: %+v", request, got)
		}
		<-p.panics
		for range outcomes {
			p.wants(t, relay.Replied, relay.FailedPanic)
		}
	}
	p.begin, p.admit, p.decide = nil, nil, ordinary
	if got := read(t, s.dial(post("abc"))); got.status != http.StatusOK || got.text() != "abc" {
		t.Errorf("another request: %+v", got)
	}
	p.wants(t, relay.Replied, relay.NoFailure)
}
