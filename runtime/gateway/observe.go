package gateway

import (
	"errors"

	"github.com/llmservice/llmservice/runtime/requestlog"
)

// report has a fault logged with the request that it happened in.
func (g *Gateway) report(record *requestlog.Record, _ string, err error) {
	record.Fault(errors.New(unwrapped(err)))
}

// unwrapped adds the cause that an error for clients keeps to itself.
func unwrapped(err error) string {
	if cause, ok := err.(interface{ Unwrap() error }); ok && cause.Unwrap() != nil {
		return err.Error() + ": " + cause.Unwrap().Error()
	}
	return err.Error()
}
