package gateway

import "github.com/llmservice/llmservice/runtime/relay"

// observe counts how a call of an upstream ended, and logs what went wrong with it.
func (g *Gateway) observe(upstream string, f relay.Failure) {
	g.metrics.Attempt(upstream, f)
	switch f.Kind {
	case relay.NoFailure, relay.FailedClient:
	case relay.FailedSuperseded, relay.FailedBudget, relay.FailedMemory, relay.FailedSchema:
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
