package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/llmservice/llmservice/test/scenario"
)

// Releases is where test/operator keeps what is recorded of older releases, each in a directory with the name of its commit.
const Releases = "test/operator/testdata/releases"

// loadRelease builds the programs of the latest recorded release, and brings their images into the cluster. A release that cannot
// be built, since the checkout lacks its commit, for example, concerns only those who upgrade from it.
func (c *Cluster) loadRelease(ctx context.Context, log io.Writer) (scenario.OlderRelease, error) {
	release, programs, err := buildRelease(ctx, c.root, log)
	if err != nil {
		release.Lacks = err.Error()
		return release, nil //nolint:nilerr // documented: it is for the tests that need the release
	}
	for image, path := range map[string]string{release.Gateway: programs.Gateway.Path, release.Manager: programs.Manager.Path} {
		if err := c.load(ctx, image, path); err != nil {
			return release, err
		}
	}
	return release, nil
}

func buildRelease(ctx context.Context, root string, log io.Writer) (release scenario.OlderRelease, built Programs, err error) {
	recorded, err := filepath.Glob(filepath.Join(root, Releases, "*"))
	if err != nil || len(recorded) == 0 {
		return release, built, fmt.Errorf("no release is recorded in %s: %w", Releases, err)
	}
	commit := filepath.Base(recorded[len(recorded)-1])
	release.Dir = filepath.Join(Releases, commit)
	tree, err := os.MkdirTemp("", "release-")
	if err != nil {
		return release, built, fmt.Errorf("release %s: %w", commit, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	if err := extract(ctx, root, commit, tree); err != nil {
		return release, built, err
	}
	dir := filepath.Join(root, "build", "images", commit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return release, built, fmt.Errorf("release %s: %w", commit, err)
	}
	for name, to := range map[string]*Program{"gateway": &built.Gateway, "manager": &built.Manager} {
		if *to, err = buildProgram(ctx, tree, dir, name, log); err != nil {
			return release, built, err
		}
	}
	release.Gateway, release.Manager = built.Gateway.Image(), built.Manager.Image()
	return release, built, nil
}

// extract writes the files of a commit to a directory.
func extract(ctx context.Context, root, commit, into string) error {
	archive := filepath.Join(into, "archive.tar")
	for _, args := range [][]string{
		{"git", "-C", root, "archive", "--output=" + archive, commit},
		{"tar", "-x", "-f", archive, "-C", into},
	} {
		if output, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("files of commit %s, which the checkout must have: %s: %w: %s", commit, args[0], err, output)
		}
	}
	return nil
}
