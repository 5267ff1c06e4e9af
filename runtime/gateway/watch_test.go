package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/transcript"
)

// If nothing can be watched, the config is read now and then, and somebody is told.
func TestConfigsAreReadWithoutAWatch(t *testing.T) {
	good := encode(t, assistant("http://127.0.0.1:1/v1"))
	dir := filepath.Join(t.TempDir(), "config")
	synctest.Test(t, func(t *testing.T) {
		logs := &transcript.Buffer{}
		g, err := New(Options{ConfigDir: dir, Workers: 1, MaxStreamDuration: time.Minute, Logger: slog.New(slog.NewTextHandler(logs, nil))})
		if err != nil {
			t.Fatal(err)
		}
		g.newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.watch(ctx) }()
		time.Sleep(10*time.Minute - time.Second) // at the minute itself, either goroutine may come first
		for text, most := range map[string]int{"too many open files": 10, "config rejected": 10} {
			if n := strings.Count(logs.String(), text); n < 1 || n > most {
				t.Errorf("%q was logged %d times in ten minutes", text, n)
			}
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), good, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(unwatched)
		synctest.Wait()
		if err := g.ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A config directory that comes late, or anew, is watched as soon as it is there.
func TestAConfigDirectoryThatAppears(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	var dir string
	r := start(t, nil, func(o *Options) { dir = filepath.Join(o.ConfigDir, "late"); o.ConfigDir = dir })
	for _, text := range []string{"one", "two"} {
		content := encode(t, prompt(url, text))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), content, 0o600); err != nil {
			t.Fatal(err)
		}
		r.await(text, func(s report.Status) bool { return s.Revision == delivery.Revision(content) })
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory that is written to all the time is read all the same.
func TestWritesDoNotPostponeAReloadForEver(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, prompt(url, "one"))
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	writer.Go(func() {
		for ctx.Err() == nil {
			_ = os.WriteFile(filepath.Join(r.dir, "noise"), nil, 0o600)
			time.Sleep(settle / 10)
		}
	})
	next := encode(t, prompt(url, "two"))
	r.write(delivery.CurrentKey, next)
	r.await("the new config", func(s report.Status) bool { return s.Revision == delivery.Revision(next) })
}

// The wait for quiet is short, and bounded from the first change on.
func TestSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watching
		timer := time.NewTimer(time.Hour)
		began := time.Now()
		first := w.settle(timer, time.Time{})
		for time.Since(began) < 10*settleWithin {
			select {
			case <-timer.C:
				if took := time.Since(began); took > settleWithin {
					t.Errorf("read after %s, want %s at most", took, settleWithin)
				}
				return
			case <-time.After(settle / 2):
				first = w.settle(timer, first)
			}
		}
		t.Error("never read")
	})
}

// A part that has ended ends the others: a gateway without probes, or without an API, is none.
func TestAPartThatFailsEndsTheGateway(t *testing.T) {
	for name, closed := range map[string]int{"the API": 0, "the admin listener": 1} {
		g, err := New(Options{ConfigDir: t.TempDir(), Workers: 1, MaxStreamDuration: patience, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		listeners := []net.Listener{listen(t), listen(t)}
		_ = listeners[closed].Close()
		ended := make(chan error, 1)
		go func() { ended <- g.Run(context.WithoutCancel(t.Context()), listeners[0], listeners[1]) }()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: ended without an error", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the gateway goes on", name)
		}
	}
}
