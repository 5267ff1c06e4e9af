// Package gateway composes the runtime: it compiles configs into snapshots and serves them. It is the only package
// that knows all the others.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/runtime/admin"
	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/cgroup"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/drain"
	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/garbage"
	"github.com/llmservice/llmservice/runtime/metrics"
	"github.com/llmservice/llmservice/runtime/openapi"
	"github.com/llmservice/llmservice/runtime/resolve"
	"github.com/llmservice/llmservice/runtime/upstream"
)

const (
	bodyTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	// spareConnections are those that a replica keeps beyond two for each request that it may have in flight.
	spareConnections = 128
)

// DefaultUpstreamClient is used if Options name none.
const DefaultUpstreamClient = upstream.DefaultKind

// Options are set once, at the start of a gateway. Everything that may change while it runs is in the config.
type Options struct {
	// ConfigDir holds the files delivery.CurrentKey and delivery.LastGoodKey, SecretsDir one directory per Secret.
	ConfigDir, SecretsDir string
	// FilesDir is the directory that the paths of other files of secrets are below; empty is the root.
	FilesDir string
	// Workers is how many requests compute at the same instant, at least 1.
	Workers int
	// AutoWorkers has the CPU quota of the process's control group go before Workers, if there is one.
	AutoWorkers bool
	// Root is the machine's file system, where the control group is read; nil is the real one.
	Root fs.FS
	// Addresses are those that upstreams may have.
	Addresses addresses.Rules
	// Proxy is what upstreams over https are reached through.
	Proxy egress.Proxy
	// DialDNS connects to DNS servers; nil is the network's own way.
	DialDNS resolve.Dial
	// UpstreamClient makes the calls to upstreams over HTTP/1.1; empty is DefaultUpstreamClient.
	UpstreamClient upstream.Kind
	// MaxStreamDuration bounds every stream and, with it, the drain.
	MaxStreamDuration time.Duration
	// DrainDelay is how long a gateway still accepts connections after its drain began.
	DrainDelay time.Duration
	// Engine accepts and reads the API's connections; empty is DefaultEngine.
	Engine Engine
	// Profiling serves package pprof's profiles on the admin listener.
	Profiling bool
	// OwnProcess says that the process is nothing but this gateway, which then also decides how often garbage is collected.
	OwnProcess bool
	// Memory is how much the process may use, in bytes; 0 is what it finds (admission.Limit).
	Memory int64
	Logger *slog.Logger
}

// Gateway is one replica.
type Gateway struct {
	options     Options
	logger      *slog.Logger
	client      *upstream.Client
	credentials *upstream.Credentials
	pools       upstream.Pools
	names       *resolve.Names
	admission   *admission.Admission
	metrics     *metrics.Metrics
	pages       *openapi.Pages
	policy      *exchange.Policy
	// unconfigured is what is served before the first config.
	unconfigured *exchange.Serving
	drain        drain.Flag
	store        store
	rejections   remark
	newWatcher   func() (*fsnotify.Watcher, error)
}

// New returns a gateway that has not read its config yet. It sets the process's parallelism (GOMAXPROCS),
// and the output of package log's own logger.
func New(o Options) (*Gateway, error) {
	switch {
	case o.Workers < 1:
		return nil, fmt.Errorf("workers: %d, want at least 1", o.Workers)
	case o.MaxStreamDuration <= 0:
		return nil, fmt.Errorf("max stream duration: %s, want more than 0s", o.MaxStreamDuration)
	case o.DrainDelay < 0:
		return nil, fmt.Errorf("drain delay: %s, want at least 0s", o.DrainDelay)
	}
	o.Workers = o.workers()
	goruntime.GOMAXPROCS(o.Workers)
	takeStandardLog(o.Logger)
	g := &Gateway{
		options:      o,
		logger:       o.Logger,
		client:       upstream.NewClient(o.Addresses, o.Proxy, o.UpstreamClient),
		credentials:  upstream.NewCredentials(o.SecretsDir, cmp.Or(o.FilesDir, "/")),
		admission:    admission.New(o.Workers, cmp.Or(o.Memory, admission.Limit())),
		pages:        openapi.NewPages(),
		newWatcher:   fsnotify.NewWatcher,
		unconfigured: unconfigured(),
	}
	g.metrics = metrics.New(metrics.Load{
		InFlight: g.admission.InFlight, MaxInFlight: g.admission.Limit,
		Budget: func() int64 { return int64(g.admission.Bytes.Total()) }, Reserved: g.admission.Bytes.Reserved,
		Refused: g.admission.Bytes.Refused, Upstreams: g.upstreamStates, Endpoints: g.endpointStates,
		Unreadable: g.unreadable,
	})
	g.names = g.resolver()
	g.policy = &exchange.Policy{Serving: g.serving, Admission: g.admission, Metrics: g.metrics, Logger: g.logger}
	return g, nil
}

// workers is how many the process has.
func (o *Options) workers() int {
	if !o.AutoWorkers {
		return o.Workers
	}
	root := o.Root
	if root == nil {
		root = os.DirFS("/")
	}
	cpus, limited := cgroup.CPUs(root)
	if !limited {
		return o.Workers
	}
	return int(delivery.AutoWorkers(cpus))
}

// Run serves the API on api and probes, status and metrics on adm until ctx ends; then it drains and returns. It
// closes both listeners. A missing or bad config is not an error: the gateway waits, not ready, for a good one. A part that
// fails ends the others, with a drain: nothing is left that works in half.
func (g *Gateway) Run(ctx context.Context, api, adm net.Listener) error {
	defer g.client.Close()
	if g.options.OwnProcess {
		defer garbage.Pace(debug.SetMemoryLimit(-1))() // the limit that admission has found
	}
	parts, ctx := errgroup.WithContext(ctx)
	// The admin listener outlives the API's, so that a drain can be watched to its end; and what is still served in it may
	// need addresses.
	serving, served := context.WithCancel(context.WithoutCancel(ctx))
	defer served()

	parts.Go(func() error { return g.watch(ctx) })
	parts.Go(func() error {
		return admin.New(admin.Options{
			Status: g.Status, Ready: g.ready, Registry: g.metrics.Registry, Logger: g.logger,
			Profiling: g.options.Profiling,
		}).Serve(serving, adm)
	})
	parts.Go(func() error {
		g.names.Run(serving)
		return nil
	})
	parts.Go(func() error {
		defer served()
		return g.serve(ctx, api)
	})
	return parts.Wait()
}

func (g *Gateway) serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		g.drain.Begin()
		g.logger.Info("draining", "inFlight", g.admission.InFlight(), "streams", g.metrics.Streams().Open)
	})
	defer stop()
	err := g.engine().Serve(ctx, l, g.policy)
	g.logger.Info("stopped serving", "streams", g.metrics.Streams())
	return err
}

// secrets are all values that this gateway could send to anyone: those of the config, read again if that is due, and
// those with which calls that are still open were made.
func (g *Gateway) secrets() []string {
	if s := g.store.snapshot(); s != nil {
		g.credentials.Refresh(s.secretPaths())
		for _, file := range s.secrets {
			g.credentials.Loaded(file.Path())
		}
	}
	return g.credentials.Known()
}

// connections bounds those of clients. One that has no request holds memory, too.
func (g *Gateway) connections() int {
	return 2*int(g.admission.Limit()) + spareConnections
}

var errNoConfig = errors.New("no config has been loaded")

// ready returns the reason why the gateway should not be sent requests.
func (g *Gateway) ready() error {
	if g.drain.Draining() {
		return drain.ErrDraining
	}
	if g.store.snapshot() == nil {
		return errNoConfig
	}
	return nil
}

// Status is what the gateway reports to the operator.
func (g *Gateway) Status() report.Status {
	status, serving := g.store.status()
	status.Version, status.Build = config.Version, programVersion()
	status.Draining = g.drain.Draining()
	status.InFlight, status.MaxInFlight = g.admission.InFlight(), g.admission.Limit()
	status.Memory = report.MemoryUse{
		Budget: int64(g.admission.Bytes.Total()), Reserved: g.admission.Bytes.Reserved(), Refused: g.admission.Bytes.Refused(),
	}
	status.Streams = g.metrics.Streams()
	if serving != nil { // of which the places of secrets are
		status.Secrets, status.RefusedKeys = g.statesOf(serving)
	}
	status.Upstreams = g.upstreamStates()
	return status
}

// statesOf returns the states of the secrets of a config. An upstream's key is looked at anew first: one that has been
// rotated is another, and not refused.
func (g *Gateway) statesOf(s *snapshot) (states []report.SecretState, refused []report.RefusedKey) {
	g.credentials.Refresh(s.secretPaths())
	for i, file := range s.secrets {
		state := report.SecretState{SecretFile: file, Index: i}
		switch times, err := g.credentials.Changed(file.Path()); {
		case err == nil:
			state.Loaded, state.Modified, state.Since = true, times.Modified.UTC(), times.Since.UTC()
		case !errors.Is(err, fs.ErrNotExist):
			state.Problem = errors.Unwrap(err).Error() // the path is in the state
		}
		states = append(states, state)
	}
	for _, key := range s.keys {
		if since, ok := g.credentials.Refused(key.Upstream, key.Path()); ok {
			key.Since = since.UTC()
			refused = append(refused, key)
		}
	}
	return states, refused
}

// unreadable counts the secrets of the config that cannot be read now.
func (g *Gateway) unreadable() int64 {
	serving := g.store.snapshot()
	if serving == nil {
		return 0
	}
	var count int64
	states, _ := g.statesOf(serving)
	for i := range states {
		if !states[i].Loaded {
			count++
		}
	}
	return count
}
