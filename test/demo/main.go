// Command demo shows the main job of LLMService on a real Kubernetes, step by step. Each step says what it does, is
// checked, and prints its time; the exit status is 0 only if all of it held. It needs root and Linux, and leaves
// everything running to be looked at.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/llmservice/llmservice/test/scenario/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	n := newNarrator(os.Stdout)
	// The first half prepares the stage; the second, inside the cluster's network, goes on where that has stopped.
	flag.IntVar(&n.steps, "steps", 0, "steps that were shown already")
	flag.TextVar(&n.begun, "begun", time.Now(), "time at which the demo began")
	flag.Parse()
	cluster, err := stage.Inside()
	if err != nil {
		return err
	}
	if cluster == nil {
		return prepare(ctx, n)
	}
	return play(ctx, n, cluster)
}
