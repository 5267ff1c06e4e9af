// Command gateway serves one LLMService: it reads its config from a directory, reloads when that changes, and drains
// on SIGTERM or SIGINT.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/llmservice/llmservice/cmd/internal/signals"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/gateway"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// flags are set by the pod. Everything that may change while it runs is in the config.
type flags struct {
	listen, adminListen, terminationLog string
	level                               slog.Level
	options                             gateway.Options
}

func parse(args []string) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("gateway", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", fmt.Sprintf(":%d", delivery.Port), "address of the API")
	set.StringVar(&f.adminListen, "admin-listen", fmt.Sprintf(":%d", delivery.AdminPort),
		"address of probes, status and metrics")
	set.StringVar(&f.terminationLog, "termination-log", report.TerminationLog,
		"file for the last status; not written if it does not exist")
	set.TextVar(&f.level, "log-level", slog.LevelInfo, "lowest level that is logged: debug, info, warn or error")
	o := &f.options
	set.StringVar(&o.ConfigDir, "config-dir", delivery.Dir, "directory with the files current and lastGood")
	set.StringVar(&o.SecretsDir, "secrets-dir", delivery.SecretsDir, "directory with one directory for each Secret")
	set.IntVar(&o.Workers, "workers", 2, "number of requests that compute at the same instant")
	set.DurationVar(&o.MaxStreamDuration, "max-stream-duration", 5*time.Minute, "maximum duration of a stream, and of the drain")
	set.Var(&o.Addresses.Allowed, "allowed-address", "one of the networks that upstreams may be in; can be repeated")
	set.Var(&o.Addresses.Denied, "denied-address", "network that upstreams must not be in; can be repeated")
	set.TextVar(&o.Proxy.Server, "https-proxy", egress.Server(""),
		"forward proxy for upstreams over https, http://HOST:PORT; empty for none")
	set.TextVar(&o.Proxy.Except, "no-proxy", egress.Exceptions(""), "hosts that are reached without the proxy, as in NO_PROXY")
	set.TextVar(&o.UpstreamClient, "upstream-client", gateway.DefaultUpstreamClient,
		"client that calls upstreams over HTTP/1.1: own or nethttp; HTTP/2 is always net/http's")
	set.DurationVar(&o.DrainDelay, "drain-delay", delivery.DrainDelay, "how long to accept connections while draining")
	set.TextVar(&o.Engine, "engine", gateway.DefaultEngine,
		"what reads the connections of clients: http1, or nethttp, which is Go's HTTP server and takes more CPU and memory")
	set.BoolVar(&o.Profiling, "profiling", false, "serve profiles below /debug/pprof/ on the admin address")
	if err := fromEnvironment(set); err != nil {
		return nil, err
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	o.AutoWorkers = os.Getenv(delivery.WorkersVariable) == delivery.WorkersAuto
	o.OwnProcess = true
	f.options.Logger = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: f.level}))
	return f, nil
}

// variables are those of the environment that set a flag, if the arguments do not: a podTemplate may have them, and no arguments.
var variables = map[string]string{"engine": delivery.EngineVariable, "upstream-client": delivery.UpstreamClientVariable}

func fromEnvironment(set *flag.FlagSet) error {
	for name, variable := range variables {
		value := os.Getenv(variable)
		if value == "" {
			continue
		}
		if err := set.Set(name, value); err != nil {
			return fmt.Errorf("%s in the environment: %w", variable, err)
		}
	}
	return nil
}

func run(args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	g, err := gateway.New(f.options)
	if err != nil {
		return err
	}
	ctx, stop := signals.Context(context.Background())
	defer stop()
	var listeners net.ListenConfig
	api, err := listeners.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	admin, err := listeners.Listen(ctx, "tcp", f.adminListen)
	if err != nil {
		return fmt.Errorf("listen for probes: %w", err)
	}
	return errors.Join(g.Run(ctx, api, admin), lastWords(f.terminationLog, g.Status()))
}

// lastWords leaves the final status where the kubelet reads it: it shows the operator whether all streams of a replica
// that is gone have ended. The kubelet keeps 4096 bytes, so what may be long and no longer matters is left out.
func lastWords(file string, status report.Status) error {
	status.Secrets, status.RefusedKeys, status.Rejected, status.Upstreams = nil, nil, nil, nil
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // not in a container
	}
	if err != nil {
		return fmt.Errorf("leave the last status: %w", err)
	}
	return errors.Join(json.NewEncoder(f).Encode(status), f.Close())
}
