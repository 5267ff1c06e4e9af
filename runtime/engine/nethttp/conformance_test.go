package nethttp

import (
	"log/slog"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
)

// The engine keeps its part of relay's contract.
func TestTheContractOfEngines(t *testing.T) {
	enginetest.Run(t, func(b enginetest.Bounds) relay.Engine {
		return New(Options{
			Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: many, BodyTimeout: b.BodyTimeout,
			WriteTimeout: b.WriteTimeout, ReplyTimeout: b.ReplyTimeout, DrainDelay: b.DrainDelay, DrainTimeout: b.DrainTimeout,
		})
	})
}
