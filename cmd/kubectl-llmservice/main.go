// Command kubectl-llmservice is a kubectl plugin: kubectl llmservice COMMAND.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/cmd/internal/signals"
)

func main() {
	err := run()
	if err != nil && !errors.Is(err, errFound) {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	os.Exit(exitCode(err))
}

func run() error {
	ctx, stop := signals.Context(context.Background())
	defer stop()
	return command().ExecuteContext(ctx)
}

const rootLong = `Write, check, try and watch LLMServices.

The exit code is 0 if all is well, 1 if validate finds errors or diff finds differences, and 2 if a command failed.`

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-llmservice",
		Short:         "Work with LLMServices",
		Long:          rootLong,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl llmservice"},
		SilenceUsage:  true,
		SilenceErrors: true, // main prints them
	}
	root.AddCommand(
		devCommand(), diffCommand(), explainCommand(), initCommand(), logsCommand(), validateCommand(), versionCommand(),
	)
	return root
}
