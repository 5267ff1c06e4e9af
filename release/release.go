// Package release makes the files of a release out of a commit, and writes them into a directory: it pushes nothing, and signs
// nothing. The same commit gives the same bytes, on every machine and in every directory.
package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// Options are what a release is made with.
type Options struct {
	// Repository is the directory of a checkout. Its commit is released, whatever else is in its tree.
	Repository string
	// Out is the directory to write, which is made anew.
	Out string
	// Helm and Kustomize are the paths of these programs.
	Helm, Kustomize string
	// Version, unless it is empty, is what the commit has to be tagged with.
	Version string
	// BuilderID is the URI of who builds, for the provenance (https://slsa.dev/spec/v1.0/provenance#builder.id).
	BuilderID string
	// Platform, as in linux/amd64, limits the release to programs for it; empty for all platforms. A release of one platform has no
	// manifest for krew.
	Platform string
	// Log is where progress is written.
	Log io.Writer
}

// release is one that is being made.
type release struct {
	Options

	source   source
	version  string
	programs []program
	// scratch is a directory for what is not released.
	scratch string
	// images are the digests of the images, by their repository.
	images map[string]string
	// digests are the SHA-256 of the files of the release, in hexadecimal, by name.
	digests map[string]string
}

// Make makes a release.
func Make(ctx context.Context, o Options) error {
	for _, program := range []*string{&o.Helm, &o.Kustomize} {
		if err := find(program); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp("", "llmservice-release-")
	if err != nil {
		return fmt.Errorf("make a release: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := errors.Join(os.RemoveAll(o.Out), os.MkdirAll(o.Out, 0o755)); err != nil {
		return fmt.Errorf("make a release: %w", err)
	}
	r := &release{Options: o, scratch: scratch, images: map[string]string{}, digests: map[string]string{}}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"source", r.checkOut},
		{"programs", r.build},
		{"images", r.writeImages},
		{"plugin", r.writePlugin},
		{"manifests", r.writeManifests},
		{"bills of materials", r.writeBOMs},
		{"provenance", r.writeProvenance},
		{"checksums", r.writeSums},
	} {
		fmt.Fprintln(o.Log, "release:", step.name)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	fmt.Fprintf(o.Log, "release: %s of commit %s is in %s\n", r.version, r.source.commit, o.Out)
	return nil
}

// find makes the name of a program its path.
func find(program *string) error {
	path, err := exec.LookPath(*program)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return fmt.Errorf("find a program that makes manifests: %w", err)
	}
	*program = path
	return nil
}

// tagged reports whether the version is that of a tag, rather than one that Go made of a commit.
func (r *release) tagged() bool { return !module.IsPseudoVersion(r.version) }

// write writes a file of the release.
func (r *release) write(name string, data []byte) error {
	if err := os.WriteFile(filepath.Join(r.Out, name), data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	r.digests[name] = hex.EncodeToString(sum[:])
	return nil
}

// writeSums writes the digests of all files, as sha256sum --check reads them.
func (r *release) writeSums(context.Context) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.digests)) {
		fmt.Fprintf(&text, "%s  %s\n", r.digests[name], name)
	}
	return r.write("SHA256SUMS", []byte(text.String()))
}
