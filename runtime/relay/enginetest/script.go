package enginetest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// script is a policy. What a check leaves out is the ordinary case.
type script struct {
	relay.Memory

	begin    func()
	echo     []relay.Field
	patience time.Duration
	admit    func(ctx context.Context) *relay.Reply
	limit    int64
	decide   func(ctx context.Context, r *relay.Request) relay.Verdict

	begun, released atomic.Int32
	outcomes        chan relay.Outcome // of what was decided
	panics          chan any
}

// many is more than any check has outcomes.
const many = 64

func (p *script) prepare(t *testing.T) {
	t.Helper()
	if p.Memory == nil {
		p.Memory = relay.Unlimited
	}
	if p.limit == 0 {
		p.limit = 1 << 10
	}
	p.outcomes, p.panics = make(chan relay.Outcome, many), make(chan any, many)
}

// answer is a reply of the script's.
func answer(status int) *relay.Reply { return &relay.Reply{Status: status, Body: []byte("reply\n")} }

// replying is a script that answers each request with its body.
func replying() *script {
	return &script{decide: func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Reply: &relay.Reply{Status: http.StatusOK, Body: r.Body}}
	}}
}

// producing is a script whose answers are worked out.
func producing(produce func(ctx context.Context) *relay.Reply) *script {
	return &script{decide: func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Produce: produce} }}
}

// streaming is a script whose answers are streams.
func streaming(s *relay.Stream) *script {
	return &script{decide: func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Stream: s} }}
}

// Begin implements relay.Policy.
func (p *script) Begin(h *relay.Head) relay.Exchange {
	h.Echo = p.echo
	if p.begin != nil {
		p.begin()
	}
	p.begun.Add(1)
	return &exchange{script: p}
}

// Panicked implements relay.Policy.
func (p *script) Panicked(_ relay.Exchange, value any) *relay.Reply {
	p.panics <- value
	return answer(http.StatusInternalServerError)
}

// exchange implements relay.Exchange.
type exchange struct {
	*script

	release sync.Once
}

func (x *exchange) Patience() time.Duration { return x.patience }

func (x *exchange) Admit(ctx context.Context) *relay.Reply {
	if x.admit == nil {
		return nil
	}
	return x.admit(ctx)
}

func (x *exchange) BodyLimit() int64 { return x.limit }

func (x *exchange) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	return x.decide(ctx, r)
}

func (x *exchange) Within(ctx context.Context) context.Context { return ctx }

func (x *exchange) Done(o relay.Outcome) { x.outcomes <- o }

func (x *exchange) Refuse(r relay.Refusal) *relay.Reply {
	switch r {
	case relay.BodyTooLarge:
		return answer(http.StatusRequestEntityTooLarge)
	case relay.NoMemory:
		return answer(http.StatusTooManyRequests)
	case relay.BodyUnreadable:
	}
	return answer(http.StatusRequestTimeout)
}

// Release implements relay.Exchange. A second call is not made up for by one that is missing elsewhere.
func (x *exchange) Release() {
	again := true
	x.release.Do(func() { again = false })
	x.released.Add(1)
	if again {
		panic("an exchange was released twice")
	}
}
