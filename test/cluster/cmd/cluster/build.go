package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/build"
)

func newBuild(s *settings) *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the cluster's programs that --bin lacks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.existing != "" && len(only) == 0 {
				return s.sayExisting(cmd, "nothing to build")
			}
			wanted := withoutAssets(cmd, only)
			if len(only) > 0 && len(wanted) == 0 {
				return nil
			}
			return buildPrograms(cmd, s.layout.Bin, wanted)
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "build these programs only, as in --only etcd,kube-apiserver,kubectl")
	return cmd
}

// withoutAssets drops the programs that somebody has provided already.
func withoutAssets(cmd *cobra.Command, only []string) []string {
	dir := os.Getenv(assetsEnv)
	if dir == "" {
		return only
	}
	return slices.DeleteFunc(slices.Clone(only), func(name string) bool {
		given := slices.Contains(build.AssetNames, name)
		if given {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is taken from %s (%s)\n", name, assetsEnv, dir)
		}
		return given
	})
}

func buildPrograms(cmd *cobra.Command, bin string, names []string) error {
	programs, err := build.Select(names)
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	source, err := build.FindSource(here)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	return build.Builder{Source: source, Bin: bin, Log: cmd.ErrOrStderr()}.Build(ctx, programs)
}

func newAssets(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "assets",
		Short: "Print the directory to set KUBEBUILDER_ASSETS to",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := os.Getenv(assetsEnv)
			if dir == "" {
				dir = s.layout.Bin
				if err := checkAssets(dir); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), dir)
			return err
		},
	}
}

func checkAssets(dir string) error {
	programs, err := build.Select(build.AssetNames)
	if err != nil {
		return err
	}
	if missing := build.Missing(dir, programs); len(missing) > 0 {
		return fmt.Errorf("%s lacks %s: run `cluster build --only %s`",
			dir, strings.Join(missing, ", "), strings.Join(build.AssetNames, ","))
	}
	return nil
}
