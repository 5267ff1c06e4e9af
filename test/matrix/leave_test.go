package matrix

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/llmservice/llmservice/test/variants"
)

// soon is within what the calls for a client that has left are closed. A machine that is busy makes single calls late, so the
// test wants it of most.
const soon = 250 * time.Millisecond

// TestClientsThatLeave: when a client leaves, in whatever phase and on whatever path, each upstream call for it is closed at once.
func TestClientsThatLeave(t *testing.T) {
	for _, v := range variants.Each(t) {
		t.Run(v.String(), func(t *testing.T) { leaveEach(t, start(t, v)) })
	}
}

func leaveEach(t *testing.T, s *stage) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	before := descriptors(t)
	var times []time.Duration
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
			times = append(times, took)
		}
	}
	slices.Sort(times)
	for _, part := range []int{50, 99, 100} {
		t.Logf("%d %% were closed %v after their client had left", part, times[(len(times)-1)*part/100].Round(time.Millisecond/10))
	}
	if median := times[len(times)/2]; median > soon {
		t.Errorf("most calls are open for %v after their client has left", median)
	}
	s.atRest(t, before)
	s.keepsQuiet(t)
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
		_, _ = ask(asking, client, s.address, c.path, c.prefix, c.name, false)
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
