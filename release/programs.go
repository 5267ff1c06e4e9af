package release

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

const plugin = "kubectl-llmservice"

// program is one that was built for one platform.
type program struct {
	name, os, arch string
	path           string
	command        []string
	info           *debug.BuildInfo
}

// id names a program and its platform, as the files of a release are named.
func (p program) id() string { return p.name + "_" + p.os + "_" + p.arch }

func (p program) platform() string { return p.os + "/" + p.arch }

// every are all programs of a release: those of images run on Linux, the plugin where people work.
func every() []program {
	var all []program
	for _, arch := range []string{"amd64", "arm64"} {
		all = append(all, program{name: "gateway", os: "linux", arch: arch}, program{name: "manager", os: "linux", arch: arch})
		for _, system := range []string{"linux", "darwin", "windows"} {
			all = append(all, program{name: plugin, os: system, arch: arch})
		}
	}
	return all
}

// environment is that of every build. Each variable that changes what Go compiles is set, so that this machine's settings do not.
func (s *source) environment(p program) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off",
		"GOTOOLCHAIN=" + s.toolchain, "GOFLAGS=-mod=readonly", "GOWORK=off",
	}
}

// buildFlags are those of `make images`. grpcnotrace: grpc's tracing would make the manager half as large again.
var buildFlags = []string{"-trimpath", "-buildvcs=true", "-tags", "grpcnotrace", "-ldflags", "-s -w"}

func (r *release) build(ctx context.Context) error {
	for _, p := range every() {
		if r.Platform != "" && r.Platform != p.platform() {
			continue
		}
		if err := r.buildOne(ctx, &p); err != nil {
			return err
		}
		r.programs = append(r.programs, p)
	}
	if len(r.programs) == 0 {
		return fmt.Errorf("no program is built for platform %q, want one such as linux/amd64", r.Platform)
	}
	return r.takeVersion()
}

func (r *release) buildOne(ctx context.Context, p *program) error {
	dir := filepath.Join(r.scratch, p.os+"_"+p.arch)
	p.path = filepath.Join(dir, p.name)
	if p.os == "windows" {
		p.path += ".exe"
	}
	p.command = append(append([]string{"go", "build"}, buildFlags...), "./cmd/"+p.name)
	args := append(append([]string{"build", "-o", p.path}, buildFlags...), "./cmd/"+p.name)
	if _, err := output(ctx, r.source.dir, r.source.environment(*p), "go", args...); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read how %s was built: %w", p.id(), err)
	}
	p.info = info
	if info.GoVersion != r.source.toolchain {
		return fmt.Errorf("%s was built with %s, want %s", p.id(), info.GoVersion, r.source.toolchain)
	}
	return nil
}

// takeVersion takes the version that Go stamped into the programs: that of the commit's tag, or one that names the commit.
func (r *release) takeVersion() error {
	r.version = r.programs[0].info.Main.Version
	if !strings.HasPrefix(r.version, "v") || strings.Contains(r.version, "+") {
		return fmt.Errorf("the programs have the version %q, want that of a commit without changes", r.version)
	}
	if r.Version != "" && r.Version != r.version {
		return fmt.Errorf("commit %s is version %s, want %s: tag it, or check out the tag", r.source.commit, r.version, r.Version)
	}
	return nil
}

func (p program) read() ([]byte, error) {
	data, err := os.ReadFile(p.path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.id(), err)
	}
	return data, nil
}
