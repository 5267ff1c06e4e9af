package nethttp

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The engine keeps its part of relay's contract.
func TestTheContractOfEngines(t *testing.T) {
	enginetest.Run(t, func(b enginetest.Bounds) relay.Engine {
		return New(Options{
			Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: func() int { return 100 }, BodyTimeout: b.BodyTimeout,
			WriteTimeout: b.WriteTimeout, ReplyTimeout: b.ReplyTimeout, DrainDelay: b.DrainDelay, DrainTimeout: b.DrainTimeout,
		})
	})
}
