package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// busyRetry is what a client is told that a full replica refused.
const busyRetry = time.Second

// unmatched labels in metrics what no route serves: a client's path would be a label without bounds.
const unmatched = "unmatched"

// policy implements relay.Policy over the snapshot of the moment.
type policy struct{ gateway *Gateway }

var _ relay.Policy = (*policy)(nil)

// Admit implements relay.Policy.
func (p *policy) Admit(h *relay.Head) (relay.Exchange, *relay.Reply) {
	g := p.gateway
	config := g.store.snapshot()
	if config == nil {
		return nil, p.problem(h, problem.NoEndpoint(busyRetry).WithMessage("The service has no configuration yet."))
	}
	found, params, wrong := g.match(config, h)
	if wrong != nil {
		return nil, p.problem(h, wrong)
	}
	hold, ok := g.admission.Enter()
	if !ok {
		return nil, p.problem(h, problem.Busy(busyRetry))
	}
	return &exchange{policy: p, head: h, config: config, found: found, params: params, Hold: hold}, nil
}

// match finds what serves the request, with its path's parameters.
func (g *Gateway) match(config *snapshot, h *relay.Head) (serves, map[string]string, *problem.Error) {
	if reply, page := g.pages.Reply(h.Method, h.Path, h.Header); page != "" {
		return serves{name: page, decide: always(reply)}, nil, nil
	}
	return config.table.Match(h.Method, h.EscapedPath)
}

// exchange implements relay.Exchange: a request, on the config that it began with.
type exchange struct {
	*admission.Hold

	policy *policy
	head   *relay.Head
	config *snapshot
	found  serves
	params map[string]string
}

// BodyLimit implements relay.Exchange.
func (x *exchange) BodyLimit() int64 {
	return min(x.config.bodyLimit, int64(x.policy.gateway.admission.Bytes.Longest()))
}

// Decide implements relay.Exchange.
func (x *exchange) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	r.Params = x.params
	return x.policy.gateway.counted(x.found.name, x.found.decide(ctx, r))
}

// Refuse implements relay.Exchange.
func (x *exchange) Refuse(r relay.Refusal) *relay.Reply {
	switch r {
	case relay.BodyTooLarge:
		return x.policy.problem(x.head, problem.TooLarge(x.BodyLimit()))
	case relay.NoMemory:
		return x.policy.problem(x.head, problem.Busy(busyRetry))
	case relay.BodyUnreadable:
	}
	return x.policy.problem(x.head, problem.New(problem.RequestTimeout))
}

// counted adds to a verdict that its outcome is counted and, where it went wrong, logged.
func (g *Gateway) counted(route string, v relay.Verdict) relay.Verdict {
	streams := v.Relay != nil || v.Stream != nil
	if streams {
		g.metrics.StreamBegan()
	}
	v.Done = func(o relay.Outcome) {
		g.metrics.End(route, o)
		if streams {
			g.metrics.StreamEnded(route, o)
		}
		if o.Result == relay.StreamFailed {
			g.logger.Warn("stream failed", "route", route, "status", o.Status, "failure", o.Failure.Error())
		}
	}
	return v
}

// Panicked implements relay.Policy.
func (p *policy) Panicked(h *relay.Head, value any) *relay.Reply {
	p.gateway.panicked(fmt.Sprintf("%T", value), debug.Stack())
	return relay.Problem(formatOf(h.Path), problem.New(problem.Internal))
}

func (p *policy) problem(h *relay.Head, e *problem.Error) *relay.Reply {
	reply := relay.Problem(formatOf(h.Path), e)
	p.gateway.metrics.End(unmatched, relay.Outcome{Status: reply.Status})
	return reply
}

// formatOf is the format that a client of the path expects, whether or not anything serves it.
func formatOf(path string) problem.Format {
	if strings.HasPrefix(path, "/v1/") {
		return problem.OpenAI
	}
	return problem.FastAPI
}

func (g *Gateway) observe(upstream string, f relay.Failure) {
	g.metrics.Attempt(upstream, f)
	switch f.Kind {
	case relay.NoFailure, relay.FailedClient:
	case relay.FailedSuperseded, relay.FailedBudget, relay.FailedMemory, relay.FailedSchema, relay.FailedStep:
		// The route itself, or the replica, has ended the call.
	default:
		g.logger.Warn("upstream attempt failed", "upstream", upstream, "failure", f.Error())
	}
}

func (g *Gateway) report(route string, err error) {
	g.logger.Error("request failed", "route", route, "error", unwrapped(err))
}

// unwrapped adds the cause that an error for clients keeps to itself.
func unwrapped(err error) string {
	if cause, ok := err.(interface{ Unwrap() error }); ok && cause.Unwrap() != nil {
		return err.Error() + ": " + cause.Unwrap().Error()
	}
	return err.Error()
}
