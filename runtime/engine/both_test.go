// Package engine_test holds both engines to what is promised of connections over TCP and in virtual time: what
// relay/enginetest leaves to each of them.
package engine_test

import (
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/http1"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

// The bounds of a connection, as docs/limits.md lists them.
const (
	headTimeout = 10 * time.Second
	idleTimeout = 2 * time.Minute
	bodyRate    = 16 << 10
	restTimeout = 5 * time.Second
	restStall   = 2 * time.Second
	unasked     = 500 * time.Millisecond
)

// made makes an engine.
type made func(nethttp.Options) relay.Engine

var engines = map[string]made{
	"nethttp": func(o nethttp.Options) relay.Engine { return nethttp.New(o) },
	"http1":   func(o nethttp.Options) relay.Engine { return http1.New(o) },
}

func onEach(t *testing.T, test func(t *testing.T, e made)) {
	t.Helper()
	for name, e := range engines {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}
