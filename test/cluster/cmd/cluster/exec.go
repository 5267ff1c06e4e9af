package main

import (
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/local"
)

func newExec(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command inside the cluster's network, with KUBECONFIG set",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, command []string) error {
			code, err := s.exec(cmd, command)
			if err == nil && code != 0 {
				err = exitError(code)
			}
			return err
		},
	}
	// Flags after the command's name are the command's, with or without --.
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func (s *settings) exec(cmd *cobra.Command, command []string) (int, error) {
	if s.existing == "" {
		return local.Exec(cmd.Context(), s.layout, command, s.out)
	}
	return local.Run(cmd.Context(), command, local.Environment(s.existing, s.layout.Bin), (*exec.Cmd).Start)
}
