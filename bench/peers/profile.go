package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// profiled takes the gateway's CPU profile while something is measured, if the flag wants one. Taking it costs time, so that
// the figures of such a run do not count.
func (t *turn) profiled(ctx context.Context, workload string, do func() error) error {
	if t.settings.profiles == "" || t.peer.admin == nil || t.round > 0 {
		return do()
	}
	name := strings.NewReplacer("/", "", ", ", "-", " ", "-").Replace(t.peer.name) + "." + workload + ".cpu"
	file, err := os.Create(filepath.Join(t.settings.profiles, name))
	if err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	defer func() { _ = file.Close() }()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return profile(ctx, *t.peer.admin, t.settings.profile, file) })
	group.Go(do)
	return group.Wait()
}

// profile takes some time of the gateway's processor.
func profile(ctx context.Context, admin string, takes time.Duration, to io.Writer) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", admin, takes.Seconds())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}
	answer, err := (&http.Client{Timeout: limit + takes}).Do(req)
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for a profile: %s", answer.Status)
	}
	_, err = io.Copy(to, answer.Body)
	return err
}
