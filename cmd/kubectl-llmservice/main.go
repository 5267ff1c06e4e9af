// Command kubectl-llmservice is a kubectl plugin: kubectl llmservice COMMAND.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		os.Exit(1) // cobra has printed it
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:          "kubectl-llmservice",
		Short:        "Work with LLMServices",
		Annotations:  map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl llmservice"},
		SilenceUsage: true,
	}
	root.AddCommand(devCommand())
	return root
}
