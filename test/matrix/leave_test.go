package matrix

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestClientsThatLeave: when a client leaves, in whatever phase and on whatever path, each upstream call for it is closed.
func TestClientsThatLeave(t *testing.T) {
	s := start(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	before := descriptors(t)
	var slowest time.Duration
	for i := range paths {
		p := &paths[i]
		good := p.good()
		places := []int{0, good.head, good.done - len("\n\n") - 1}
		places = append(places, good.contents...)
		for _, at := range places {
			c := trial{name: fmt.Sprintf("case-%dx%d", i, at), path: p, script: script{answer: good, fault: hang, at: at}}
			took, err := s.leave(t.Context(), client, &c)
			if err != nil {
				t.Errorf("%s, %s: %v", p.name, good.phase(at), err)
			}
			slowest = max(slowest, took)
		}
	}
	t.Logf("the slowest call was closed %v after its client had left", slowest.Round(time.Millisecond/10))
	s.atRest(t, before)
}

// leave is a client that leaves once all its calls are waited for.
func (s *stage) leave(ctx context.Context, client *http.Client, c *trial) (slowest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := 1
	scripts := map[string]script{c.path.upstreams[0]: c.script}
	if !c.path.fallback {
		asked = len(c.path.upstreams)
		for _, other := range c.path.upstreams {
			scripts[other] = c.script
		}
	}
	s.ledger.plan(c.name, scripts)
	asking, leave := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = ask(asking, client, s.address, c.path, c.prefix, c.name)
	}()
	defer func() {
		leave()
		<-gone
	}()
	if err := s.ledger.stuck(ctx, c.name, asked); err != nil {
		return 0, err
	}
	left := time.Now()
	leave()
	if err := s.ledger.ended(ctx, c.name); err != nil {
		return 0, err
	}
	for _, call := range s.ledger.all(c.name) {
		slowest = max(slowest, call.left.Sub(left))
	}
	return slowest, nil
}

// stuck waits until so many calls of a case get nothing more.
func (l *ledger) stuck(ctx context.Context, name string, calls int) error {
	for {
		all := l.all(name)
		if len(all) == calls {
			for _, c := range all {
				select {
				case <-c.stuck:
				case <-ctx.Done():
					return fmt.Errorf("a call does not wait: %w", ctx.Err())
				}
			}
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d calls, want %d: %w", len(all), calls, ctx.Err())
		}
	}
}
