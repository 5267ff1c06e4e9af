//go:build linux

package local

import (
	"bytes"
	"errors"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/test/cluster/node"
)

// TestMain also stands in for a supervisor, one that waits for its input to end.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == node.SuperviseCommand {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(precious, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := clean(t.Context(), node.Layout{State: dir, Netns: "unused-here"}); !errors.Is(err, errForeign) {
		t.Errorf("clean: %v, want %v", err, errForeign)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestMarker(t *testing.T) {
	l := node.Layout{State: filepath.Join(t.TempDir(), "state"), Netns: "one"}
	if m, err := readMarker(l.State); m != nil || err != nil {
		t.Errorf("absent directory: %v, %v", m, err)
	}
	if err := os.Mkdir(l.State, 0o755); err != nil {
		t.Fatal(err)
	}
	if m, err := readMarker(l.State); m != nil || err != nil {
		t.Errorf("empty directory: %v, %v", m, err)
	}
	if err := writeMarker(l); err != nil {
		t.Fatal(err)
	}
	if m, err := readMarker(l.State); err != nil || m == nil || m.Netns != "one" {
		t.Errorf("claimed directory: %v, %v", m, err)
	}
	if err := os.MkdirAll(filepath.Join(l.State, "etcd", "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := emptyState(l.State); err != nil {
		t.Fatal(err)
	}
	if err := checkEmpty(l.State); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	tests := map[string]struct {
		script string
		want   int
	}{
		"success": {`test "$KUBECONFIG" = /the/config`, 0},
		"failure": {"exit 7", 7},
		"killed":  {"kill -TERM $$", 143},
		"path":    {`case $PATH in /the/bin:*) ;; *) exit 1;; esac`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			command := []string{"sh", "-c", tt.script}
			got, err := Run(t.Context(), command, Environment("/the/config", "/the/bin"), (*exec.Cmd).Start)
			if err != nil || got != tt.want {
				t.Errorf("exit code %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

func TestLookUpPrefersTheClusters(t *testing.T) {
	bin := t.TempDir()
	own := filepath.Join(bin, "sh")
	if err := os.WriteFile(own, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := lookUp("sh", Environment("", bin)); err != nil || got != own {
		t.Errorf("sh is %s, %v; want %s", got, err, own)
	}
	if got, err := lookUp("no-such-program", Environment("", bin)); err == nil {
		t.Errorf("found %s", got)
	}
	if got, err := lookUp("./sh", nil); err != nil || got != "./sh" {
		t.Errorf("./sh is %s, %v", got, err)
	}
}

func TestFollow(t *testing.T) {
	var out bytes.Buffer
	follow(strings.NewReader("one\ntwo\n"), log.New(&out, "", 0), time.Now())
	if got := out.String(); !strings.Contains(got, "s  one\n") || !strings.HasSuffix(got, "s  two\n") {
		t.Errorf("printed %q", got)
	}
}

func TestSupervisorIsFoundAndStopped(t *testing.T) {
	l := node.Layout{State: t.TempDir(), Netns: "of-a-test"}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, l.SuperviseArgs()...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"--state=" + l.State, "--netns=" + l.Netns} {
		if pids, err := supervisors(arg); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
			t.Errorf("%s: %v, %v; want %d", arg, pids, err, cmd.Process.Pid)
		}
	}
	if pids, err := supervisors("--state=" + l.State + "/other"); err != nil || len(pids) != 0 {
		t.Errorf("another state: %v, %v", pids, err)
	}
	if err := stop(t.Context(), cmd.Process.Pid, politely); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended of its own accord")
	}
	if pids, err := supervisors("--state=" + l.State); err != nil || len(pids) != 0 {
		t.Errorf("after its end: %v, %v", pids, err)
	}
	if err := stop(t.Context(), cmd.Process.Pid, politely); err != nil {
		t.Errorf("stop of what has ended: %v", err)
	}
}
