// Command kubectl-llmservice is a kubectl plugin: kubectl llmservice COMMAND.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/cmd/internal/signals"
)

func main() {
	if run() != nil {
		os.Exit(1) // cobra has printed it
	}
}

func run() error {
	ctx, stop := signals.Context(context.Background())
	defer stop()
	return command().ExecuteContext(ctx)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:          "kubectl-llmservice",
		Short:        "Work with LLMServices",
		Annotations:  map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl llmservice"},
		SilenceUsage: true,
	}
	root.AddCommand(devCommand(), explainCommand(), logsCommand())
	return root
}
