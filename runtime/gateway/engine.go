package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/engine/http1"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

// defaultEngine is the engine of a gateway that is not told which.
const defaultEngine = "nethttp"

// engines are those that a gateway can be served by.
var engines = map[string]func(nethttp.Options) relay.Engine{
	defaultEngine: func(o nethttp.Options) relay.Engine { return nethttp.New(o) },
	"http1":       func(o nethttp.Options) relay.Engine { return http1.New(o) },
}

// checkEngine returns an error that lists the engines if there is none of the name. The empty name is the default's.
func checkEngine(name string) error {
	if _, ok := engines[name]; !ok && name != "" {
		return fmt.Errorf("engine: %q, want one of %s", name, strings.Join(slices.Sorted(maps.Keys(engines)), ", "))
	}
	return nil
}

// engine is what serves the API.
func (g *Gateway) engine() relay.Engine {
	name := g.options.Engine
	if name == "" {
		name = defaultEngine
	}
	return engines[name](nethttp.Options{
		Logger: g.logger, AcceptLoops: g.options.Workers,
		Connections: g.connections, BodyTimeout: bodyTimeout, WriteTimeout: writeTimeout,
		ReplyTimeout: g.options.MaxStreamDuration, DrainDelay: g.options.DrainDelay, DrainTimeout: g.options.MaxStreamDuration,
	})
}
