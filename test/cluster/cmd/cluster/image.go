package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/image"
	"github.com/llmservice/llmservice/test/cluster/local"
)

func newImage() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "image NAME:TAG BINARY -o FILE",
		Short: "Write a FROM-scratch image of one static binary as an archive",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("-o: name the file to write")
			}
			return writeImage(args[0], args[1], out)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "archive to write, as docker load and ctr images import read it")
	return cmd
}

func writeImage(ref, binary, out string) error {
	tag, err := image.ParseTag(ref)
	if err != nil {
		return err
	}
	img, err := image.FromBinary(binary)
	if err != nil {
		return err
	}
	return image.WriteArchive(out, tag, img)
}

func newLoad(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "load NAME:TAG BINARY | load ARCHIVE",
		Short: "Bring an image into the cluster: of one static binary, or from an archive",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.existing != "" {
				return s.sayExisting("nothing loaded; push the image where that cluster pulls from (see cmd/*/Dockerfile), " +
					"or load what `cluster image` writes with its own tool, such as `kind load image-archive`")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if len(args) == 1 {
				return local.Load(ctx, s.layout, args[0], s.out)
			}
			scratch, err := os.MkdirTemp("", "llmservice-image-")
			if err != nil {
				return fmt.Errorf("load %s: %w", args[0], err)
			}
			defer func() { _ = os.RemoveAll(scratch) }()
			archive := filepath.Join(scratch, "image.tar")
			if err := writeImage(args[0], args[1], archive); err != nil {
				return err
			}
			return local.Load(ctx, s.layout, archive, s.out)
		},
	}
}
