package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/exchange"
)

// store holds the snapshot being served, and what is to be said of the configs that were read.
type store struct {
	serving atomic.Pointer[snapshot]

	mu       sync.Mutex
	source   string
	rejected *report.RejectedConfig
}

// serving is what a request is served by that begins now.
func (g *Gateway) serving() *exchange.Serving {
	if s := g.store.snapshot(); s != nil {
		return s.serving
	}
	return g.unconfigured
}

// snapshot is the one being served; nil while none could be loaded.
func (s *store) snapshot() *snapshot { return s.serving.Load() }

// status returns what is to be said, with the snapshot that it is about.
func (s *store) status() (report.Status, *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, serving := report.Status{Source: s.source, Rejected: s.rejected}, s.snapshot()
	if serving != nil {
		status.Revision = serving.revision
	}
	return status, serving
}

// Reload reads the config directory and serves what it can: the current config, otherwise what is served already, otherwise
// the last good one. A config that is served already changes nothing.
func (g *Gateway) Reload() {
	rejected := g.serveFile(delivery.CurrentKey)
	if rejected != nil {
		say := g.rejections.due(rejected.Revision + " " + rejected.Message)
		if g.store.snapshot() == nil {
			if worse := g.serveFile(delivery.LastGoodKey); worse != nil && say {
				g.logger.Warn("no last good config to serve", "error", worse.Message)
			}
		}
		g.metrics.Rejected()
		if say {
			g.logger.Error("config rejected", "revision", rejected.Revision, "error", rejected.Message)
		}
	}
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	g.store.rejected = rejected
}

// serveFile serves the config in a file, or returns the reason why it cannot.
func (g *Gateway) serveFile(key string) *report.RejectedConfig {
	encoded, err := os.ReadFile(filepath.Join(g.options.ConfigDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return &report.RejectedConfig{Message: fmt.Sprintf("there is no config %q", key)}
	}
	if err != nil {
		return &report.RejectedConfig{Message: err.Error()}
	}
	revision := delivery.Revision(encoded)
	if serving := g.store.snapshot(); serving != nil && serving.revision == revision {
		return nil
	}
	parsed, err := program.Load(encoded)
	if err != nil {
		return &report.RejectedConfig{Revision: revision, Message: err.Error()}
	}
	compiled, err := g.compile(parsed, revision)
	if err != nil {
		g.names.Retain(g.hostsServed())
		return &report.RejectedConfig{Revision: revision, Message: err.Error()}
	}
	g.serveSnapshot(compiled, key)
	g.names.Retain(compiled.hosts)
	keys, spread := endpointKeys(parsed.Config)
	g.pools.Retain(keys)
	g.pools.RetainAddresses(spread)
	g.credentials.RetainTLS(tlsUsed(parsed.Config))
	g.credentials.Retain(func(upstream, path string) bool {
		return slices.ContainsFunc(compiled.keys, func(k report.RefusedKey) bool { return k.Upstream == upstream && k.Path() == path })
	})
	return nil
}

func (g *Gateway) serveSnapshot(s *snapshot, source string) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	g.store.serving.Store(s)
	g.store.source = source
	g.admission.SetLimit(s.maxInFlight)
	g.metrics.Serving(s.revision)
	g.logger.Info("serving config", "revision", s.revision, "source", source)
}
