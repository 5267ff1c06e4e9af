package local

import (
	"context"
	"fmt"
	"log"
	"path/filepath"

	"github.com/llmservice/llmservice/test/cluster/image"
	"github.com/llmservice/llmservice/test/cluster/node"
)

// Load brings the images of an archive into the cluster.
func Load(ctx context.Context, l node.Layout, archive string, out *log.Logger) error {
	l, err := present(l)
	if err != nil {
		return err
	}
	tags, err := image.Tags(archive)
	if err != nil {
		return err
	}
	var names []string
	for _, tag := range tags {
		names = append(names, image.Canonical(tag))
	}
	archive, err = filepath.Abs(archive)
	if err != nil {
		return fmt.Errorf("load %s: %w", archive, err)
	}
	for _, n := range append(l.Workers(), l) {
		if err := node.Import(ctx, n, archive, names); err != nil {
			return err
		}
	}
	for _, name := range names {
		out.Println("loaded", name)
	}
	return nil
}
