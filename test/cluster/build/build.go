package build

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/llmservice/llmservice/test/cluster/dirlock"
)

// Builder compiles programs from Source into Bin.
type Builder struct {
	Source string // directory of the module that pins the programs
	Bin    string // directory that receives the binaries
	Log    *log.Logger
}

// Build compiles each program that Bin does not hold in its pinned version.
// Concurrent builds into one Bin take turns; a binary appears under its name
// only when complete, so an interrupted build leaves nothing half-written that
// could be taken for a program.
func (b Builder) Build(ctx context.Context, programs []Program) error {
	pins, err := Pins(b.Source)
	if err != nil {
		return err
	}
	unlock, err := dirlock.Lock(ctx, b.Bin)
	if err != nil {
		return err
	}
	defer unlock()
	for i, p := range programs {
		if current(b.Bin, p, pins) {
			continue
		}
		b.Log.Printf("building %s (%d of %d)", p.Name, i+1, len(programs))
		begun := time.Now()
		if err := b.compile(ctx, p); err != nil {
			return err
		}
		b.Log.Printf("built %s in %s", p.Name, time.Since(begun).Round(time.Second))
	}
	return nil
}

func (b Builder) compile(ctx context.Context, p Program) error {
	scratch, err := os.MkdirTemp(b.Bin, ".building-")
	if err != nil {
		return fmt.Errorf("build %s: %w", p.Name, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	out := filepath.Join(scratch, p.Name)
	cmd := exec.CommandContext(ctx, "go", "build",
		"-mod=readonly", "-trimpath", "-ldflags", linkerFlags(), "-o", out, p.Package)
	cmd.Dir = b.Source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = b.Log.Writer(), b.Log.Writer() // the compiler's complaints
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s from %s: %w", p.Name, p.Package, err)
	}
	if err := os.Rename(out, filepath.Join(b.Bin, p.Name)); err != nil {
		return fmt.Errorf("build %s: %w", p.Name, err)
	}
	return nil
}

// linkerFlags stamp the version that kubectl and the apiserver report and
// compare with each other; a binary built as a dependency has none otherwise.
func linkerFlags() string {
	const pkg = "k8s.io/component-base/version"
	major, rest, _ := strings.Cut(KubernetesVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
		pkg, KubernetesVersion, major, minor)
}
