package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long the config directory must be quiet before it is read: a writer may touch it several times.
	settle = 50 * time.Millisecond
	// reread bounds how long a change can go unnoticed whose event was lost.
	reread = 10 * time.Second
)

// watch reloads when the config directory changes, until ctx ends. The kubelet replaces a ConfigMap's files by
// renaming a symbolic link in the directory, so the directory is watched, not the files.
func (g *Gateway) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the config: %w", err)
	}
	defer func() { _ = watcher.Close() }() // it fails only where it is closed already
	if err := watcher.Add(g.options.ConfigDir); err != nil {
		return fmt.Errorf("watch the config in %s: %w", g.options.ConfigDir, err)
	}
	g.Reload()
	timer := time.NewTimer(reread)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			timer.Reset(settle)
		case err := <-watcher.Errors:
			g.logger.Warn("watching the config", "error", err)
			timer.Reset(settle)
		case <-timer.C:
			g.Reload()
			timer.Reset(reread)
		}
	}
}
