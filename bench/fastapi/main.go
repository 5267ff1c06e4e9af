// Command fastapi measures what the same routes cost as a FastAPI program (test/oracle/app/main.py) and as an LLMService
// (test/oracle/service.yaml): processor time for each whole answer and for each event of a stream, and memory for each open
// stream.
//
// Each server is one process in front of a scripted model. The model and the clients are this process, whose time counts for
// neither. The rounds of both alternate, and the medians are printed.
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
	python  string
	rounds  int
	clients int
	answers int
	streams int
	held    int
	pace    time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.python, "python", "python3", "a Python with FastAPI, uvicorn and httpx, best with uvloop and httptools")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds of each server")
	flag.IntVar(&s.clients, "clients", 16, "clients at the same time")
	flag.IntVar(&s.answers, "answers", 1000, "whole answers of a round")
	flag.IntVar(&s.streams, "streams", 128, "streams of a round")
	flag.IntVar(&s.held, "held", 90, "streams that are held open to measure memory; httpx has 100 connections")
	flag.DurationVar(&s.pace, "pace", 10*time.Millisecond, "time between two events of a stream")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fastapi:", err)
		os.Exit(1)
	}
}

// figures are one round's: microseconds of processor time, and KiB of resident memory.
type figures struct{ answer, event, stream float64 }

func run(ctx context.Context, s settings) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	fmt.Printf("%-10s %22s %22s %22s\n", "", "CPU of an answer, µs", "CPU of an event, µs", "memory of a stream, KiB")
	all := map[string][]figures{}
	for range s.rounds {
		for _, name := range []string{"gateway", "fastapi"} {
			f, err := round(ctx, s, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			show(name, f)
			all[name] = append(all[name], f)
		}
	}
	for _, name := range []string{"gateway", "fastapi"} {
		median := func(of func(figures) float64) float64 {
			var values []float64
			for _, f := range all[name] {
				values = append(values, of(f))
			}
			return bed.Median(values)
		}
		show("= "+name, figures{
			median(func(f figures) float64 { return f.answer }),
			median(func(f figures) float64 { return f.event }),
			median(func(f figures) float64 { return f.stream }),
		})
	}
	return nil
}

func show(name string, f figures) {
	fmt.Printf("%-10s %22.0f %22.1f %22.0f\n", name, f.answer, f.event, f.stream)
}
