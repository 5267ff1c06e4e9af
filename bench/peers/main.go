// Command peers measures this gateway next to other proxies and programs, all in one run: HAProxy, nginx, Envoy, Go's
// ReverseProxy, a bare relay in Go, FastAPI, LiteLLM and threads of Java. Each runs alone on one core, in front of the same
// scripted model; the model and the clients are this process, on the other cores. A peer that is not installed, or that
// fails, is named in the tables.
//
// It prints the figures, and writes them with a plot into the page that -out names; bench/README.md has the method.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/llmservice/llmservice/bench/peers/load"
)

// settings bound a run in count and time.
type settings struct {
	rounds, clients, streams, waves, held, idle, rate, steady int
	unary, latency, churn, warm, rest                         time.Duration
	quick                                                     bool
	only                                                      string
	out                                                       string
	debian, python, litellm                                   string
	profiles                                                  string
	profile                                                   time.Duration
}

func main() {
	if serving() {
		return
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err = run(ctx, s, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func parse(args []string) (s settings, err error) {
	set := flag.NewFlagSet("peers", flag.ContinueOnError)
	set.BoolVar(&s.quick, "quick", false,
		"measure so little that it takes less than two minutes: it shows that everything works, but its figures mean nothing")
	set.IntVar(&s.rounds, "rounds", 3, "rounds of all peers, whose medians count; the slowest peers have one")
	set.IntVar(&s.clients, "clients", 16, "clients that ask for whole answers at the same time")
	set.IntVar(&s.streams, "streams", 32, "paced streams at the same time, if the peer can do that many")
	set.IntVar(&s.waves, "waves", 3, "paced streams of each client, one after the other")
	set.IntVar(&s.held, "held", 2000, "silent streams that are held open")
	set.IntVar(&s.idle, "idle", 200, "idle connections, the oldest of which are replaced")
	set.IntVar(&s.rate, "rate", 200, "requests a second when latency is measured, if the peer can do that many")
	set.IntVar(&s.steady, "steady", 4000, "requests a second at a steady rate, of peers that can do that many")
	set.DurationVar(&s.unary, "unary", 800*time.Millisecond, "time of whole answers, for each size of bodies")
	set.DurationVar(&s.latency, "latency", 2*time.Second, "time of each measurement of latency")
	set.DurationVar(&s.churn, "churn", 500*time.Millisecond, "time of replacing idle connections")
	set.DurationVar(&s.warm, "warm", 400*time.Millisecond, "time of whole answers before measuring")
	set.DurationVar(&s.rest, "rest", 3*time.Second, "time without requests before the memory at rest is measured")
	set.StringVar(&s.only, "only", "", "a regular expression for the names of the peers to measure; all if empty")
	set.StringVar(&s.out, "out", "", "page to write the figures into, next to which the plot is written; none if empty")
	cache := caches()
	set.StringVar(&s.debian, "debian", filepath.Join(cache, "bench-debian"), "directory with HAProxy and nginx")
	set.StringVar(&s.python, "python", filepath.Join(cache, "bench-python"), "Python environment with Envoy, FastAPI and gunicorn")
	set.StringVar(&s.litellm, "litellm", filepath.Join(cache, "bench-litellm"), "Python environment with LiteLLM")
	set.StringVar(&s.profiles, "profiles", "", "directory for CPU profiles of this gateway in each workload; none if empty")
	set.DurationVar(&s.profile, "profile", time.Second, "time of each profile, in whole seconds: that of the workload or less")
	if err := set.Parse(args); err != nil {
		return s, err
	}
	if s.quick {
		s.rounds, s.waves, s.held, s.idle = 1, 1, 100, 20
		s.unary, s.latency, s.churn, s.warm = 100*time.Millisecond, 200*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
		s.rest = 0
	}
	return s, nil
}

func caches() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "llmservice"
	}
	return filepath.Join(dir, "llmservice")
}

// load describes what was asked, for the page.
func (s settings) load(took time.Duration) string {
	return fmt.Sprintf("Medians of %d rounds. Whole answers: %d clients, %v for each size. "+
		"Steady: %d requests a second for as long, of peers that can do that many. "+
		"Paced streams: %d at a time, %d each, %d events %v apart. Held streams: %d. "+
		"Latency: %d requests a second for %v. New connections: the oldest of %d idle ones is replaced, for %v. "+
		"Memory at rest: %v after the start. An answer has %d bytes, an event %d. The run took %v.",
		s.rounds, s.clients, s.unary, s.steady, s.streams, s.waves, load.Tokens, load.Pace, s.held, s.rate, s.latency,
		s.idle, s.churn, s.rest,
		load.WholeBytes(), load.EventBytes(), took.Round(time.Second))
}
