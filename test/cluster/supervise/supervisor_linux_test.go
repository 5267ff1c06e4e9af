package supervise

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSupervisor returns one whose reaper runs until the test ends; deaths
// arrive on the channel.
func newSupervisor(t *testing.T) (*Supervisor, <-chan DaemonStatus) {
	t.Helper()
	dir := t.TempDir()
	status, err := NewStatusFile(filepath.Join(dir, "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	reaper := NewReaper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		reaper.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	died := make(chan DaemonStatus, 10)
	return &Supervisor{
		Reaper: reaper, Status: status, LogDir: dir, Dir: dir, Env: []string{"PATH=/usr/bin:/bin"},
		Died: func(d DaemonStatus) { died <- d },
	}, died
}

func TestDeathIsReported(t *testing.T) {
	s, died := newSupervisor(t)
	for name, script := range map[string]string{
		"lives": "exec sleep 600", "fails": "echo last words; exit 3", "killed": "kill -9 $$",
	} {
		if err := s.Start(Daemon{Name: name, Path: "/bin/sh", Args: []string{"-c", script}}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for range 2 {
		select {
		case d := <-died:
			got[d.Name] = d.Exit
		case <-time.After(time.Minute):
			t.Fatal("a daemon died and nobody was told")
		}
	}
	got["lives"] = killLast(t, s, died)
	want := map[string]string{"fails": "exit code 3", "killed": "killed by SIGKILL", "lives": "killed by SIGTERM"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	tail := LogTail(s.LogPath("fails"), 2)
	if !strings.HasPrefix(tail, "last words\n--- fails died at ") || !strings.Contains(tail, "(exit code 3)") {
		t.Errorf("log ends with %q", tail)
	}
	onDisk, err := ReadStatus(s.Status.path)
	if err != nil {
		t.Fatal(err)
	}
	dead := map[string]string{}
	for _, d := range onDisk.Dead() {
		dead[d.Name] = d.Exit
	}
	if diff := cmp.Diff(want, dead); diff != "" {
		t.Errorf("status file: %s", diff)
	}
}

// killLast ends the one daemon that still runs and returns what is said of it.
func killLast(t *testing.T, s *Supervisor, died <-chan DaemonStatus) string {
	t.Helper()
	s.Reaper.mu.Lock()
	running := slices.Collect(maps.Keys(s.Reaper.exited))
	s.Reaper.mu.Unlock()
	if len(running) != 1 {
		t.Fatalf("%d daemons are left, want 1", len(running))
	}
	if err := unix.Kill(running[0], unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case d := <-died:
		return d.Exit
	case <-time.After(time.Minute):
		t.Fatal("a daemon was killed and nobody was told")
		return ""
	}
}

func TestRunToEnd(t *testing.T) {
	s, _ := newSupervisor(t)
	if err := s.Reaper.RunToEnd(t.Context(), exec.Command("/bin/true")); err != nil {
		t.Error(err)
	}
	err := s.Reaper.RunToEnd(t.Context(), exec.Command("/bin/false"))
	if err == nil || !strings.Contains(err.Error(), "exit code 1") {
		t.Errorf("false: %v", err)
	}
	if err := s.Reaper.RunToEnd(t.Context(), exec.Command("/nonexistent")); err == nil {
		t.Error("a program that does not exist ran")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Reaper.RunToEnd(ctx, exec.Command("/bin/sleep", "60")); err == nil || ctx.Err() == nil {
		t.Errorf("sleep: %v", err)
	}
}

func TestStatusFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.json")
	if _, err := ReadStatus(path); err == nil {
		t.Error("read a status that nobody wrote")
	}
	f, err := NewStatusFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Phase: Failed, Reason: "no room", Daemons: []DaemonStatus{{Name: "etcd", Log: "/x/etcd.log"}}}
	if err := f.Update(func(s *Status) { *s = want }); err != nil {
		t.Fatal(err)
	}
	got, err := ReadStatus(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if left, err := filepath.Glob(filepath.Dir(path) + "/*"); err != nil || len(left) != 1 {
		t.Errorf("files %v, %v", left, err)
	}
}

func TestLogTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", tailBytes)
	for content, want := range map[string]string{
		"":                    "",
		"a\nb\nc\n":           "b\nc",
		"only":                "only",
		long + "\nlast\n":     long[:tailBytes-len("\nlast\n")] + "\nlast",
		"blank\n\nat end\n\n": "\nat end",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := LogTail(path, 2); got != want {
			t.Errorf("tail of %.20q is %.40q, want %.40q", content, got, want)
		}
	}
	if got := LogTail(path+"-absent", 2); !strings.Contains(got, "no such file") {
		t.Errorf("tail of an absent log is %q", got)
	}
}
