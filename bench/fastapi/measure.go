package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/bench/bed"
)

// tokens is the length of each answer, and the number of its events.
const tokens = 64

// round measures a server that has just been started and has answered once to each client.
func round(ctx context.Context, s settings, name string) (f figures, err error) {
	b, err := newBench(ctx, s, name)
	if err != nil {
		return f, err
	}
	defer b.close()
	whole := func() error { return b.each(ctx, s.clients, s.answers, "/answer", "hello") }
	streamed := func() error {
		return b.each(ctx, s.clients, s.streams, "/completions", fmt.Sprintf(`[[mock {"tokenDelay": %q}]]`, s.pace))
	}
	if err := errors.Join(whole(), streamed()); err != nil { // to warm up
		return f, err
	}
	if f.answer, err = b.spent(whole); err != nil {
		return f, err
	}
	f.answer /= float64(s.answers)
	if f.event, err = b.spent(streamed); err != nil {
		return f, err
	}
	f.event /= float64(s.streams * tokens)
	f.stream, err = b.hold(ctx, s.held)
	return f, err
}

// spent is the processor time of the server, in microseconds, while something is done.
func (b *bench) spent(do func() error) (float64, error) {
	meter, err := bed.NewMeter(b.server.Pid())
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	spent, err := meter.Spent()
	return float64(spent) / float64(time.Microsecond), err
}

// hold opens streams that stay silent after their first event, and returns the memory of each.
func (b *bench) hold(ctx context.Context, streams int) (float64, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	before, err := bed.Resident(b.server.Pid())
	if err != nil {
		return 0, err
	}
	var opening errgroup.Group
	opening.SetLimit(20)
	for range streams {
		opening.Go(func() error {
			//nolint:bodyclose // it stays open until the context ends
			answer, err := b.open(ctx, "/completions", `[[mock {"fault": "Silence", "afterTokens": 1}]]`)
			if err != nil {
				return err
			}
			_, err = bufio.NewReader(answer.Body).ReadString('\n')
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		return 0, fmt.Errorf("hold streams: %w", err)
	}
	after, err := bed.Resident(b.server.Pid())
	return (after - before) / float64(streams), err
}

// each posts a prompt so many times.
func (b *bench) each(ctx context.Context, clients, times int, path, prompt string) error {
	var group errgroup.Group
	group.SetLimit(clients)
	for range times {
		group.Go(func() error {
			return b.post(ctx, path, prompt)
		})
	}
	return group.Wait()
}

// post reads an answer to its end.
func (b *bench) post(ctx context.Context, path, prompt string) error {
	answer, err := b.open(ctx, path, prompt)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (b *bench) open(ctx context.Context, path, prompt string) (*http.Response, error) {
	body := fmt.Appendf(nil, `{"prompt": %q}`, prompt)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("post %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("post %s: %s", path, answer.Status)
	}
	return answer, nil
}
