package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long the config directory must be quiet before it is read: a writer may touch it several times.
	settle = 50 * time.Millisecond
	// settleWithin bounds the wait for that, from the first change on.
	settleWithin = time.Second
	// reread bounds how long a change can go unnoticed whose event was lost.
	reread = 10 * time.Second
	// unwatched takes the place of reread while the directory cannot be watched: it is not there, or the node has no
	// inotify instance left.
	unwatched = 2 * time.Second
	// sayAgain is how long what is wrong with the config is not logged again while it stays the same.
	sayAgain = time.Minute
)

// watch reloads when the config directory changes, and now and then in any case, until ctx ends. The kubelet replaces a
// ConfigMap's files by renaming a symbolic link in the directory, so the directory is watched, not the files.
func (g *Gateway) watch(ctx context.Context) error {
	w := &watching{dir: g.options.ConfigDir, make: g.newWatcher, logger: g.logger}
	defer w.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var first time.Time // of the changes that are not read yet
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.events:
			first = w.settle(timer, first)
		case err := <-w.errors:
			w.complain(fmt.Errorf("events were lost: %w", err))
			first = w.settle(timer, first)
		case <-timer.C:
			first = time.Time{}
			timer.Reset(w.renew()) // before the config is read, so that a change after that is noticed
			g.Reload()
		}
	}
}

// watching is the watch of a directory, as far as there is one.
type watching struct {
	dir     string
	make    func() (*fsnotify.Watcher, error)
	logger  *slog.Logger
	watcher *fsnotify.Watcher
	events  chan fsnotify.Event
	errors  chan error
	said    remark
}

// renew watches the directory, which may be another one of that name by now, and says when to do so again.
func (w *watching) renew() time.Duration {
	if err := w.try(); err != nil {
		w.complain(err)
		return unwatched
	}
	return reread
}

func (w *watching) try() error {
	if w.watcher == nil {
		watcher, err := w.make()
		if err != nil {
			return fmt.Errorf("the config is read every %s: %w", unwatched, err)
		}
		w.watcher, w.events, w.errors = watcher, watcher.Events, watcher.Errors
	}
	if err := w.watcher.Add(w.dir); err != nil {
		return fmt.Errorf("the config is read every %s: watch %s: %w", unwatched, w.dir, err)
	}
	return nil
}

// settle puts the next reading off, though not without end; first is when the first change was seen, zero for now.
func (w *watching) settle(timer *time.Timer, first time.Time) time.Time {
	now := time.Now()
	if first.IsZero() {
		first = now
	}
	timer.Reset(max(min(settle, first.Add(settleWithin).Sub(now)), 0))
	return first
}

func (w *watching) complain(err error) {
	if w.said.due(err.Error()) {
		w.logger.Warn("watching the config", "error", err)
	}
}

func (w *watching) close() {
	if w.watcher != nil {
		_ = w.watcher.Close() // it fails only if it is closed already
	}
}

// remark keeps something from being said over and over.
type remark struct {
	mu   sync.Mutex
	last string
	at   time.Time
}

// due reports whether the text is to be said: it is another one, or some time has passed.
func (r *remark) due(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if text == r.last && now.Sub(r.at) < sayAgain {
		return false
	}
	r.last, r.at = text, now
	return true
}
