package gateway

import (
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/exchange"
)

// gateMaker makes one of the gates that a request has to pass before its body is read. It returns nil if the config does not want
// the gate.
type gateMaker func(g *Gateway, c *config.Config) *exchange.Gate

// gateMakers are in the order in which requests pass the gates: ways to authenticate callers come before limits and queues, which
// may depend on the caller. The functions stand below this list.
var gateMakers []gateMaker

// gatesOf returns the gates that a config wants.
func (g *Gateway) gatesOf(c *config.Config, makers []gateMaker) []exchange.Gate {
	var gates []exchange.Gate
	for _, wanted := range makers {
		if gate := wanted(g, c); gate != nil {
			gates = append(gates, *gate)
		}
	}
	return gates
}
