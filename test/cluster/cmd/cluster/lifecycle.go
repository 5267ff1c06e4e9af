package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/local"
)

func newUp(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster and wait until pods can run on it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.existing != "" {
				return s.sayExisting(cmd, "nothing to start")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return local.Up(ctx, s.layout, cmd.ErrOrStderr())
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
				return s.sayExisting(cmd, "nothing to take down")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return local.Down(ctx, s.layout, cmd.ErrOrStderr())
		},
	}
}

func newSupervise(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:    local.SuperviseCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return local.Supervise(s.layout) },
	}
}

func newKubeconfig(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the administrator's kubeconfig",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := s.layout.Kubeconfig()
			if s.existing != "" {
				path = s.existing
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}

// sayExisting is what a subcommand does that an existing cluster makes needless.
func (s *settings) sayExisting(cmd *cobra.Command, what string) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s names the cluster to use (%s)\n", what, existingEnv, s.existing)
	return err
}
