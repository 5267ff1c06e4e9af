// Command isolation measures what a route that is busy with large bodies does to the streams of another: the gaps
// between the events of paced streams, first alone, then beside clients that post bodies of nearly 4 MiB against a
// hard schema. It prints both and their ratio, and fails if the ratio of the 99th percentiles is above 2.
//
// The gateway is a process of its own with two workers. The scripted model and the clients are this process, on the
// same machine and its loopback: on one with two cores they compete with the gateway, in both measurements alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
)

// settings bound a run in count and time.
type settings struct {
	streams  int
	busy     int
	pace     time.Duration
	duration time.Duration
	rounds   int
}

func main() {
	var s settings
	flag.IntVar(&s.streams, "streams", 20, "paced streams")
	flag.IntVar(&s.busy, "busy", 4, "clients that post large bodies")
	flag.DurationVar(&s.pace, "pace", 20*time.Millisecond, "time between two events of a stream")
	flag.DurationVar(&s.duration, "duration", 8*time.Second, "time of one measurement")
	flag.IntVar(&s.rounds, "rounds", 3, "pairs of measurements")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		os.Exit(1)
	}
}

// most is how many times as long the 99th percentile of the gaps may become.
const most = 2

func run(ctx context.Context, s settings) error {
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer b.close()
	var ratios []float64
	fmt.Printf("%-6s %28s %28s %8s %10s\n", "round", "alone p50 / p99 / max", "beside p50 / p99 / max", "ratio", "bodies/s")
	for round := range s.rounds {
		alone, err := b.measure(ctx, 0)
		if err != nil {
			return err
		}
		beside, err := b.measure(ctx, s.busy)
		if err != nil {
			return err
		}
		ratio := beside.p(99).Seconds() / alone.p(99).Seconds()
		ratios = append(ratios, ratio)
		fmt.Printf("%-6d %28s %28s %8.2f %10.1f\n", round+1, alone, beside, ratio, float64(beside.bodies)/s.duration.Seconds())
	}
	if m := bed.Median(ratios); m > most {
		return fmt.Errorf("the 99th percentile of the gaps became %.2f times as long (median of %d rounds), allowed is %d times",
			m, len(ratios), most)
	}
	return nil
}
