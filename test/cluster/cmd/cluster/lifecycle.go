package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/local"
	"github.com/llmservice/llmservice/test/cluster/node"
)

func newUp(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster and wait until pods can run on it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.existing != "" {
				return s.sayExisting("nothing to start")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return local.Up(ctx, s.layout, s.out)
		},
	}
}

func newStopNode(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "stop-node NAME",
		Short: "End every process of a node but the first at once, as a power cut does",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.existing != "" {
				return fmt.Errorf("%s names a cluster whose nodes are not ours to stop", existingEnv)
			}
			return local.StopNode(cmd.Context(), s.layout, args[0], s.out)
		},
	}
}

func newDown(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the cluster and remove all that it had, in whatever state it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.existing != "" {
				return s.sayExisting("nothing to take down")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return local.Down(ctx, s.layout, s.out)
		},
	}
}

func newSupervise(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:    node.SuperviseCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return local.Supervise(s.layout) },
	}
	cmd.Flags().IntVar(&s.layout.Node, "node", 1, "which of them to run")
	return cmd
}

func newKubeconfig(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the administrator's kubeconfig",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path := s.layout.Kubeconfig()
			if s.existing != "" {
				path = s.existing
			}
			return s.print(path)
		},
	}
}

// sayExisting is what a subcommand does that an existing cluster makes needless.
func (s *settings) sayExisting(what string) error {
	s.out.Printf("%s: %s names the cluster to use (%s)", what, existingEnv, s.existing)
	return nil
}

// print writes a result, for scripts to read.
func (s *settings) print(result string) error {
	if _, err := fmt.Fprintln(os.Stdout, result); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
