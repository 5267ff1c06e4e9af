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
	"github.com/llmservice/llmservice/runtime/requestlog"
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
	x := &exchange{policy: p, serving: serving, found: serving.Find(h)}
	x.record.Begin(requestlog.Options{Logger: p.Logger, Revision: serving.Revision, All: serving.LogAll}, h.Header)
	x.entry = Entry{Head: h, Route: x.found.Route}
	x.echo[0] = relay.Field{Name: requestlog.IDHeader, Value: x.record.ID}
	h.Echo = x.echo[:]
	return x
}

// Panicked implements relay.Policy.
func (p *Policy) Panicked(began relay.Exchange, value any) *relay.Reply {
	x, _ := began.(*exchange)
	format := problem.FastAPI
	if x != nil {
		format = x.found.Route.Format
	}
	p.report(x.recorded(), fmt.Sprintf("%T", value), debug.Stack())
	return relay.Problem(format, problem.New(problem.Internal))
}

// Report counts and logs a fault of the gateway itself in one of the calls that a request made at once. What it panicked with may
// hold anything, so only its type and the stack are logged.
func (p *Policy) Report(kind string, stack []byte) { p.report(nil, kind, stack) }

func (p *Policy) report(record *requestlog.Record, kind string, stack []byte) {
	p.Metrics.Panicked()
	attributes := []any{"type", kind, "stack", string(stack)}
	if record != nil {
		attributes = append(attributes, "request", record.ID)
	}
	p.Logger.Error("panic", attributes...)
}

// exchange implements relay.Exchange: a request, on the config that it began with.
type exchange struct {
	admission.Hold

	policy   *Policy
	serving  *Serving
	found    Found
	record   requestlog.Record
	entry    Entry
	echo     [1]relay.Field
	admitted bool // and holds something
	streams  bool // it is answered with a stream
}

// recorded is the record of a request that may be nil.
func (x *exchange) recorded() *requestlog.Record {
	if x == nil {
		return nil
	}
	return &x.record
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
			x.end(Unmatched, relay.Outcome{Result: relay.ClientLeft})
			return relay.Problem(x.found.Route.Format, wrong)
		}
		return x.refuse(wrong)
	}
	if x.admitted = x.policy.Admission.Enter(&x.Hold); !x.admitted {
		return x.refuse(problem.Busy(Retry))
	}
	return nil
}

// BodyLimit implements relay.Exchange.
func (x *exchange) BodyLimit() int64 {
	return min(x.serving.BodyLimit, int64(x.policy.Admission.Bytes.Longest()))
}

// Within implements relay.Exchange: the work knows of the request's record.
func (x *exchange) Within(ctx context.Context) context.Context { return x.record.In(ctx) }

// Decide implements relay.Exchange.
func (x *exchange) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	r.Params = x.found.Params
	v := x.found.Route.Decide(ctx, r)
	if x.streams = v.Stream != nil; x.streams {
		x.policy.Metrics.StreamBegan()
	}
	return v
}

// Done implements relay.Exchange.
func (x *exchange) Done(o relay.Outcome) {
	route := x.found.Route.Path
	x.end(route, o)
	if x.streams {
		x.policy.Metrics.StreamEnded(route, o)
	}
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
	x.record.Failed(e)
	x.end(Unmatched, relay.Outcome{Result: relay.Replied, Status: reply.Status})
	return reply
}

// end counts and logs a request that has ended.
func (x *exchange) end(route string, o relay.Outcome) {
	x.policy.Metrics.End(route, o)
	x.record.End(x.found.Route.Method, route, o)
}

// Release implements relay.Exchange.
func (x *exchange) Release() {
	if x.admitted {
		x.Hold.Release()
	}
	x.entry.release()
}
