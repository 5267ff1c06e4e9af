package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/bench/bed"
)

// bodyBytes is just under the gateway's limit of 4 MiB.
const bodyBytes = 4<<20 - 4096

// largeBody satisfies the hard schema with its last form.
func largeBody() []byte {
	item := `{"kind":"c","text":"the quick brown fox jumps over the lazy dog"}`
	items := make([]string, bodyBytes/(len(item)+1))
	for i := range items {
		items[i] = item
	}
	return []byte("[" + strings.Join(items, ",") + "]")
}

// figures are the gaps between the events of all streams, sorted, and the bodies that were checked meanwhile.
type figures struct {
	gaps   []time.Duration
	bodies int64
}

func (f figures) p(percent int) time.Duration { return bed.Percentile(f.gaps, float64(percent)) }

func (f figures) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%v / %v / %v", round(f.p(50)), round(f.p(99)), round(f.p(100)))
}

// measure reads the streams to their end while clients post bodies.
func (b *bench) measure(ctx context.Context, busy int) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*b.settings.duration+10*time.Second)
	defer cancel()
	posting, stop := context.WithCancel(ctx)
	defer stop()
	var bodies atomic.Int64
	var posters, readers errgroup.Group
	for range busy {
		posters.Go(func() error { return b.post(posting, &bodies) })
	}
	gaps := make([][]time.Duration, b.settings.streams)
	for i := range gaps {
		readers.Go(func() (err error) {
			gaps[i], err = b.read(ctx)
			return err
		})
	}
	err := readers.Wait()
	stop()
	if posted := posters.Wait(); err == nil {
		err = posted
	}
	if err != nil {
		return figures{}, err //nolint:wrapcheck // it says what failed
	}
	all := slices.Concat(gaps...)
	slices.Sort(all)
	return figures{gaps: all, bodies: bodies.Load()}, nil
}

// post sends one large body after the other until it is told to stop.
func (b *bench) post(ctx context.Context, done *atomic.Int64) error {
	for ctx.Err() == nil {
		switch status, err := b.send(ctx); {
		case ctx.Err() != nil: // what it was doing then does not count
		case err != nil:
			return err
		case status != http.StatusOK:
			return fmt.Errorf("a body was answered with status %d", status)
		default:
			done.Add(1)
		}
	}
	return nil
}

func (b *bench) send(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/check", bytes.NewReader(b.body))
	if err != nil {
		return 0, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post a body: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// read takes one stream to its end and returns the gaps between its events.
func (b *bench) read(ctx context.Context) ([]time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/stream", strings.NewReader("{}"))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var gaps []time.Duration
	var last time.Time
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "event: done":
			return gaps, nil
		case strings.HasPrefix(line, "data: token-"):
			now := time.Now()
			if !last.IsZero() {
				gaps = append(gaps, now.Sub(last))
			}
			last = now
		}
	}
	return nil, fmt.Errorf("a stream ended without its end after %d events: %w", len(gaps)+1, lines.Err())
}
