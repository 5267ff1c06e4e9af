// Package exchange is the policy of a replica behind relay's seam: what a request has to pass before its body is read, on
// which config and route it is served, and what is counted of it.
package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/metrics"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Retry is the Retry-After of requests that this replica refuses.
const Retry = time.Second

// Policy implements relay.Policy.
type Policy struct {
	// Serving is the config of the moment.
	Serving   func() *Serving
	Admission *admission.Admission
	Metrics   *metrics.Metrics
	Logger    *slog.Logger
}

var _ relay.Policy = (*Policy)(nil)

// Begin implements relay.Policy.
func (p *Policy) Begin(h *relay.Head) relay.Exchange {
	serving := p.Serving()
	found := serving.Find(h)
	return &exchange{policy: p, serving: serving, found: found, entry: Entry{Head: h, Route: found.Route}}
}

// Panicked implements relay.Policy.
func (p *Policy) Panicked(began relay.Exchange, value any) *relay.Reply {
	p.Report(fmt.Sprintf("%T", value), debug.Stack())
	format := problem.FastAPI
	if x, ok := began.(*exchange); ok {
		format = x.found.Route.Format
	}
	return relay.Problem(format, problem.New(problem.Internal))
}

// Report counts and logs a fault of the gateway itself in a request, or in one of the calls that it made at once. What it
// panicked with may hold anything, so only its type and the stack are logged.
func (p *Policy) Report(kind string, stack []byte) {
	p.Metrics.Panicked()
	p.Logger.Error("panic", "type", kind, "stack", string(stack))
}

// exchange implements relay.Exchange: a request, on the config that it began with.
type exchange struct {
	*admission.Hold // once it is admitted

	policy  *Policy
	serving *Serving
	found   Found
	entry   Entry
}

// Patience implements relay.Exchange.
func (x *exchange) Patience() time.Duration {
	if x.found.Wrong != nil {
		return 0
	}
	return patience(x.serving.Gates)
}

// Admit implements relay.Exchange.
func (x *exchange) Admit(ctx context.Context) *relay.Reply {
	if x.found.Wrong != nil {
		return x.refuse(x.found.Wrong)
	}
	if wrong := x.entry.pass(ctx, x.serving.Gates); wrong != nil {
		if relay.Left(ctx) {
			x.policy.Metrics.End(Unmatched, relay.Outcome{Result: relay.ClientLeft})
			return relay.Problem(x.found.Route.Format, wrong)
		}
		return x.refuse(wrong)
	}
	hold, ok := x.policy.Admission.Enter()
	if !ok {
		return x.refuse(problem.Busy(Retry))
	}
	x.Hold = hold
	return nil
}

// BodyLimit implements relay.Exchange.
func (x *exchange) BodyLimit() int64 {
	return min(x.serving.BodyLimit, int64(x.policy.Admission.Bytes.Longest()))
}

// Decide implements relay.Exchange.
func (x *exchange) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	r.Params = x.found.Params
	return x.policy.counted(x.found.Route.Path, x.found.Route.Decide(ctx, r))
}

// Refuse implements relay.Exchange.
func (x *exchange) Refuse(r relay.Refusal) *relay.Reply {
	switch r {
	case relay.BodyTooLarge:
		return x.refuse(problem.TooLarge(x.BodyLimit()))
	case relay.NoMemory:
		return x.refuse(problem.Busy(Retry))
	case relay.BodyUnreadable:
	}
	return x.refuse(problem.New(problem.RequestTimeout))
}

// refuse answers a request that its route never sees.
func (x *exchange) refuse(e *problem.Error) *relay.Reply {
	reply := relay.Problem(x.found.Route.Format, e)
	x.policy.Metrics.End(Unmatched, relay.Outcome{Status: reply.Status})
	return reply
}

// Release implements relay.Exchange.
func (x *exchange) Release() {
	if x.Hold != nil {
		x.Hold.Release()
	}
	x.entry.release()
}

// counted adds to a verdict that its outcome is counted and, if it went wrong, logged.
func (p *Policy) counted(route string, v relay.Verdict) relay.Verdict {
	streams := v.Stream != nil
	if streams {
		p.Metrics.StreamBegan()
	}
	v.Done = func(o relay.Outcome) {
		p.Metrics.End(route, o)
		if streams {
			p.Metrics.StreamEnded(route, o)
		}
		if o.Result == relay.StreamFailed {
			p.Logger.Warn("stream failed", "route", route, "status", o.Status, "failure", o.Err)
		}
	}
	return v
}
