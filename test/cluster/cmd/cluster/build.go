package main

import (
	"context"
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
				return s.sayExisting("nothing to build")
			}
			wanted := s.withoutAssets(only)
			if len(only) > 0 && len(wanted) == 0 {
				return nil
			}
			return s.build(cmd.Context(), wanted)
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "build these programs only, as in --only etcd,kube-apiserver,kubectl")
	return cmd
}

// withoutAssets drops the programs that somebody has provided already.
func (s *settings) withoutAssets(only []string) []string {
	dir := os.Getenv(assetsEnv)
	if dir == "" {
		return only
	}
	return slices.DeleteFunc(slices.Clone(only), func(name string) bool {
		given := slices.Contains(build.AssetNames, name)
		if given {
			s.out.Printf("%s is taken from %s (%s)", name, assetsEnv, dir)
		}
		return given
	})
}

func (s *settings) build(ctx context.Context, names []string) error {
	programs, err := build.Select(names)
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working directory: %w", err)
	}
	source, err := build.FindSource(here)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	return build.Builder{Source: source, Bin: s.layout.Bin, Log: s.out}.Build(ctx, programs)
}

func newAssets(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "assets",
		Short: "Print the directory to set KUBEBUILDER_ASSETS to",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir := os.Getenv(assetsEnv)
			if dir == "" {
				dir = s.layout.Bin
				if err := checkAssets(dir); err != nil {
					return err
				}
			}
			return s.print(dir)
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
