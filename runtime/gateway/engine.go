package gateway

import (
	"cmp"
	"fmt"

	"github.com/llmservice/llmservice/runtime/engine/http1"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Engine names what accepts and reads the API's connections.
type Engine string

// The engines.
const (
	// HTTP1 is runtime/engine/http1: one goroutine serves a connection, and what is rare is left to NetHTTP.
	HTTP1 Engine = "http1"
	// NetHTTP is runtime/engine/nethttp, which is net/http's server.
	NetHTTP Engine = "nethttp"
)

// DefaultEngine is used if Options name none.
const DefaultEngine = HTTP1

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *Engine) UnmarshalText(text []byte) error {
	switch named := Engine(text); named {
	case HTTP1, NetHTTP:
		*e = named
		return nil
	}
	return fmt.Errorf("engine %q, want %s or %s", text, HTTP1, NetHTTP)
}

// MarshalText implements encoding.TextMarshaler.
func (e Engine) MarshalText() ([]byte, error) { return []byte(e), nil }

// engine is what serves the API.
func (g *Gateway) engine() relay.Engine {
	o := nethttp.Options{
		Logger: g.logger, AcceptLoops: g.options.Workers,
		Connections: g.connections, BodyTimeout: bodyTimeout, WriteTimeout: writeTimeout,
		ReplyTimeout: g.options.MaxStreamDuration, DrainDelay: g.options.DrainDelay, DrainTimeout: g.options.MaxStreamDuration,
	}
	if cmp.Or(g.options.Engine, DefaultEngine) == HTTP1 {
		return http1.New(o)
	}
	return nethttp.New(o)
}
