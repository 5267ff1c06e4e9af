package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// tokens is the length of each answer, and the number of its events.
const tokens = 64

// round measures a server that has just been started and has answered once to each client.
func round(ctx context.Context, s settings, name string) (f figures, err error) {
	b, err := newBed(ctx, s, name)
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
func (b *bed) spent(do func() error) (float64, error) {
	before, err := b.cpu()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := b.cpu()
	return float64(after-before) / float64(time.Microsecond), err
}

// cpu is what the scheduler has given to the threads of the server (proc_schedstat); their number does not fall.
func (b *bed) cpu() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", b.server.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("list threads: %w", err)
	}
	var all time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, fmt.Errorf("read a thread's time: %w", err)
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read a thread's time: %w", err)
		}
		all += time.Duration(n)
	}
	return all, nil
}

// resident is the server's resident memory in KiB.
func (b *bed) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.server.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("there is no VmRSS")
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory: %w", err)
	}
	return n, nil
}

// hold opens streams that stay silent after their first event, and returns the memory of each.
func (b *bed) hold(ctx context.Context, streams int) (float64, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	before, err := b.resident()
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
	after, err := b.resident()
	return (after - before) / float64(streams), err
}

// each posts a prompt so many times.
func (b *bed) each(ctx context.Context, clients, times int, path, prompt string) error {
	var group errgroup.Group
	group.SetLimit(clients)
	for range times {
		group.Go(func() error {
			return b.post(ctx, path, prompt)
		})
	}
	return group.Wait() //nolint:wrapcheck // it says what failed
}

// post reads an answer to its end.
func (b *bed) post(ctx context.Context, path, prompt string) error {
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

func (b *bed) open(ctx context.Context, path, prompt string) (*http.Response, error) {
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
