package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/deps"
)

func newDeps(s *settings) *cobra.Command {
	var install bool
	cmd := &cobra.Command{
		Use:   "deps",
		Short: "List the system packages that the cluster needs, or install what is missing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			missing := deps.Missing()
			if install {
				ctx, stop := interruptible(cmd.Context())
				defer stop()
				return deps.Install(ctx, missing, s.out.Writer())
			}
			for _, p := range deps.Packages {
				state := "present"
				if slices.Contains(missing, p.Name) {
					state = "missing"
				}
				if err := s.print(fmt.Sprintf("%-8s %-28s %s", state, p.Name, p.Why)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "install what is missing with apt-get")
	return cmd
}
