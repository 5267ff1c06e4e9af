//go:build hostile && linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/llmservice/llmservice/test/mockllm"
)

const (
	streamCount = 200
	pace        = 20 * time.Millisecond
	// A stream is held as long as the suite may last.
	streamTokens = int(15 * time.Minute / pace)
)

// serveModel is the honest upstream.
func serveModel() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	model := mockllm.New(mockllm.Options{
		Defaults:     mockllm.Script{Tokens: streamTokens, TokenDelay: mockllm.Duration(pace)},
		KeepRequests: 1,
	})
	return (&http.Server{Handler: model, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

// crowd holds streams open and notes when their events come. It reads bytes and no JSON, so that 10000 events a second
// cost little beside the gateway.
type crowd struct {
	streams []*stream
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// stream is one of them. Half ask /v1, whose chunks are relayed, half a typed route.
type stream struct {
	mu   sync.Mutex
	next int // the token that is due
	last time.Time
	gaps []gap
	err  error
}

// gap is the time between two events of a stream, of which the second came at end.
type gap struct {
	end    time.Time
	length time.Duration
}

func gather(ctx context.Context, address string) *crowd {
	ctx, stop := context.WithCancel(ctx)
	c := &crowd{stop: stop}
	for n := range streamCount {
		s := &stream{}
		c.streams = append(c.streams, s)
		c.wg.Go(func() { s.fail(s.read(ctx, address, n%2 == 0)) })
	}
	return c
}

func (c *crowd) leave() {
	c.stop()
	c.wg.Wait()
}

// begun waits until each stream has had an event.
func (c *crowd) begun() error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		if err := c.cut(); err != nil {
			return err
		}
		if !slices.ContainsFunc(c.streams, func(s *stream) bool { return s.tokens() == 0 }) {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("not all of the streams have begun")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *stream) tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// cut says how many streams have ended, which none may before the suite does.
func (c *crowd) cut() error {
	count, first := 0, error(nil)
	for _, s := range c.streams {
		s.mu.Lock()
		if s.err != nil {
			count++
			first = s.err
		}
		s.mu.Unlock()
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d streams ended, one with: %w", count, len(c.streams), first)
}

func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// gapsIn are the lengths of all gaps that ended in the time given, and of those that were open at its end, sorted.
func (c *crowd) gapsIn(from, to time.Time) []time.Duration {
	var all []time.Duration
	for _, s := range c.streams {
		all = s.gapsIn(all, from, to)
	}
	slices.Sort(all)
	return all
}

func (s *stream) gapsIn(all []time.Duration, from, to time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := from
	for _, g := range s.gaps {
		if g.end.After(from) && !g.end.After(to) {
			all = append(all, g.length)
			last = g.end
		}
	}
	// What has been silent for longer than usual counts, though its end is not known yet.
	if open := to.Sub(last); s.err == nil && open > 2*pace {
		all = append(all, open)
	}
	return all
}

// forget drops the gaps of what has been judged.
func (c *crowd) forget() {
	for _, s := range c.streams {
		s.mu.Lock()
		s.gaps = s.gaps[:0]
		s.mu.Unlock()
	}
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100]
}

// read opens a stream and takes its events until it ends, which is an error, or ctx does.
func (s *stream) read(ctx context.Context, address string, whole bool) error {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	path, body := "/stream", `{"prompt": "go on"}`
	if whole {
		path, body = "/v1/chat/completions", `{"model": "paced", "stream": true, "messages": [{"role": "user", "content": "go on"}]}`
	}
	if _, err := conn.Write(post(path, body)); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	status, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("a stream was answered %q", strings.TrimSpace(status))
	}
	return s.events(in)
}

var token = []byte(`"token-`)

// events checks that the tokens are those of the model, each once and in order. No frame of HTTP's chunks splits a line:
// the gateway flushes whole events.
func (s *stream) events(in *bufio.Reader) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("after %d events: %w", s.tokens(), err)
		}
		if _, after, found := bytes.Cut(line, token); found {
			digits, _, _ := bytes.Cut(after, []byte(` "`))
			n, err := strconv.Atoi(string(digits))
			if err != nil || n != s.note() {
				return fmt.Errorf("event %q after %d tokens", line, s.tokens()-1)
			}
		} else if bytes.Contains(line, []byte("error")) || bytes.Contains(line, []byte("[DONE]")) {
			return fmt.Errorf("after %d events: %s", s.tokens(), bytes.TrimSpace(line))
		}
	}
}

// note is that a token has come, whose number it returns.
func (s *stream) note() int {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > 0 {
		s.gaps = append(s.gaps, gap{now, now.Sub(s.last)})
	}
	s.last = now
	s.next++
	return s.next - 1
}
