// Command release makes the files of a release from the commit of a checkout, and pushes nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/llmservice/llmservice/release"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o := release.Options{Log: os.Stderr}
	set := flag.NewFlagSet("release", flag.ContinueOnError)
	set.StringVar(&o.Repository, "repository", ".", "checkout whose commit is released")
	set.StringVar(&o.Out, "out", "build/release", "directory to write; what is in it is removed")
	set.StringVar(&o.Helm, "helm", "helm", "path of Helm")
	set.StringVar(&o.Kustomize, "kustomize", "kustomize", "path of kustomize")
	set.StringVar(&o.Version, "version", "", "what the commit has to be tagged with, such as v1.2.3; empty for any commit")
	set.StringVar(&o.Platform, "platform", "", "build for this platform alone, such as linux/amd64")
	set.StringVar(&o.BuilderID, "builder-id", release.ByHand, "URI of what builds, for the provenance")
	if err := set.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return release.Make(ctx, o)
}
