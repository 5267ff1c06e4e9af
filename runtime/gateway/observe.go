package gateway

import (
	"errors"
	"strings"

	"github.com/llmservice/llmservice/runtime/metrics"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// spent counts what a call of a model took.
func (g *Gateway) spent(route, model string, s upstream.Spent) {
	by := metrics.By{Route: route, Model: model, Upstream: s.Upstream, Source: metrics.Reported}
	if s.Estimated {
		by.Source = metrics.Estimated
	}
	g.metrics.Tokens(by, s.Tokens)
	if s.Priced {
		g.metrics.Cost(by, s.Cost)
	}
}

// report has a fault logged with the request that it happened in.
func (g *Gateway) report(record *requestlog.Record, _ string, err error) {
	record.Fault(errors.New(unwrapped(err)))
}

// unwrapped adds the cause that an error for clients keeps to itself.
func unwrapped(err error) string {
	if cause, ok := err.(interface{ Unwrap() error }); ok && cause.Unwrap() != nil {
		return strings.TrimSuffix(err.Error(), ".") + ": " + cause.Unwrap().Error()
	}
	return err.Error()
}
