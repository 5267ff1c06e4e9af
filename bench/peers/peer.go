package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// peer is one program under measurement, or one way to run it.
type peer struct {
	// name is what tables call it.
	name string
	// typed is set if its typed routes are asked, and not /v1/chat/completions.
	typed bool
	// slow divides the load: rounds are one, streams and rates this many times smaller.
	slow int
	// warm multiplies the time before measuring.
	warm int
	// about returns the version and the settings, for the page. Its error says that the program is not there.
	about func(context.Context) (string, error)
	// command returns what runs it.
	command func(context.Context, place) (*exec.Cmd, error)
	// admin is the address of profiles, if the command has one.
	admin *string
}

// place is where a peer runs.
type place struct {
	// dir is empty, and its own.
	dir string
	// address is where it listens.
	address string
	// upstream is the address of the model.
	upstream string
}

func (p place) port() string { return p.address[strings.LastIndexByte(p.address, ':')+1:] }

func (p place) upstreamPort() string { return p.upstream[strings.LastIndexByte(p.upstream, ':')+1:] }

// write writes a file of the peer, and returns its path.
func (p place) write(name, text string) (string, error) {
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write a file of a peer: %w", err)
	}
	return path, nil
}

// fill puts a place's values into a template.
func (p place) fill(template string) string {
	return strings.NewReplacer(
		"{dir}", p.dir, "{address}", p.address, "{port}", p.port(), "{upstream}", p.upstream, "{upstreamPort}", p.upstreamPort(),
	).Replace(template)
}

// errMissing is a program that is not installed.
var errMissing = errors.New("not installed: make bench-deps")

// version runs a program that prints its version, and returns the first text that has the form.
func version(ctx context.Context, form, program string, args ...string) (string, error) {
	if _, err := os.Stat(program); err != nil {
		return "", errMissing
	}
	cmd := unpacked(ctx, program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask for the version: %w: %s", err, out)
	}
	if found := regexp.MustCompile(form).Find(out); found != nil {
		return string(found), nil
	}
	return "", fmt.Errorf("ask for the version: nothing has the form %s: %s", form, out)
}

// programEnv is the environment of a program that was unpacked, not installed: its libraries are next to it.
func programEnv(program string) []string {
	usr := filepath.Dir(filepath.Dir(program))
	libraries, _ := filepath.Glob(filepath.Join(usr, "lib", "*-linux-gnu"))
	return append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
}

// unpacked returns what runs such a program.
func unpacked(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a program of a directory that the caller names
	cmd.Env = programEnv(program)
	return cmd
}

// peers are all, in the order of the tables.
func peers(s settings, g *ours) []peer {
	return append(g.peers(), goPeer("relay", "Go, a bare relay"), haproxy(s), nginx(s), envoy(s),
		goPeer("reverseproxy", "Go, httputil.ReverseProxy"),
		java("platform", "Java, a thread for each request", 11), java("virtual", "Java, virtual threads", 21),
		fastAPI(s, false), fastAPI(s, true), liteLLM(s))
}
