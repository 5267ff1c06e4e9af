package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atOnce is how many cases are under way at the same time.
const atOnce = 32

// trial is one cell of the matrix.
type trial struct {
	name   string
	path   *path
	prefix string
	script script // of the first upstream
}

// said is the whole text of an answer without a fault.
var said = strings.Join(pieces, "")

// trials are the cells, of which each has a name that its request carries.
func trials() []trial {
	var all []trial
	add := func(p *path, s script) {
		prefix := ""
		if s.fault == hang || s.fault == halfClose || s.fault == early {
			prefix = "hasty-"
		}
		all = append(all, trial{name: fmt.Sprintf("case-%d", len(all)), path: p, prefix: prefix, script: s})
	}
	for i := range paths {
		p := &paths[i]
		good := p.good()
		for _, fault := range []string{reset, closed, halfClose, hang, garbage} {
			for _, at := range good.offsets() {
				add(p, script{answer: good, fault: fault, at: at})
			}
		}
		for _, at := range []int{good.head, good.done - 2} {
			add(p, script{answer: good, fault: oversize, at: at})
		}
		add(p, script{answer: good, fault: trickle, at: len(good.bytes)})
		add(p, script{answer: good, fault: early, at: len(good.bytes)})
		add(p, script{answer: good, fault: nothing, at: len(good.bytes)})
		for _, hintsBefore := range []int{1, fewHints, 5000} {
			add(p, script{answer: good, fault: hints, at: hintsBefore})
		}
		if !p.stream {
			for _, off := range []int{-7, 7} {
				_, body, _ := strings.Cut(good.bytes, "\r\n\r\n")
				wrong := sized(body, len(body)+off)
				add(p, script{answer: wrong, fault: misstated, at: len(wrong.bytes)})
			}
		}
	}
	return all
}

// good is what the path's first upstream answers without a fault.
func (p *path) good() answer {
	switch {
	case p.stream:
		return streamed()
	case p.tool:
		return document()
	default:
		return whole()
	}
}

// TestMatrix: whatever fails, and wherever, the client gets one explicit end, of what the upstream said and nothing else;
// nothing is asked again once content was sent; and nothing is left of it all.
func TestMatrix(t *testing.T) {
	s := start(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	warm := trials()[:1]
	warm[0].name = "case-first"
	s.play(t, client, warm) // what is opened once is open now
	before := descriptors(t)
	all := trials()
	s.play(t, client, all)
	tally := map[string]int{}
	for _, c := range all {
		tally[c.script.fault+", "+c.script.answer.phase(c.script.at)]++
	}
	for _, cell := range sortedKeys(tally) {
		t.Logf("%4d × %s", tally[cell], cell)
	}
	s.atRest(t, before)
}

func (s *stage) play(t *testing.T, client *http.Client, all []trial) {
	t.Helper()
	slots := make(chan struct{}, atOnce)
	var under sync.WaitGroup
	for i := range all {
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			if err := s.try(t.Context(), client, &all[i]); err != nil {
				c := &all[i]
				t.Errorf("%s, %s at byte %d of %d (%s): %v", c.path.name, c.script.fault, c.script.at, len(c.script.answer.bytes),
					c.script.answer.phase(c.script.at), err)
			}
		})
	}
	under.Wait()
}

func (s *stage) try(ctx context.Context, client *http.Client, c *trial) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	good := c.path.good()
	scripts := map[string]script{c.path.upstreams[0]: c.script}
	for _, other := range c.path.upstreams[1:] {
		scripts[other] = script{answer: good, at: len(good.bytes)}
	}
	s.ledger.plan(c.name, scripts)
	for left := victims; ; left-- {
		got, err := ask(ctx, client, s.address, c.path, c.prefix, c.name)
		if err != nil {
			return err
		}
		if err := s.ledger.ended(ctx, c.name); err != nil {
			return err
		}
		if left == 0 || len(s.ledger.all(c.name)) > 0 {
			return s.judge(c, &got)
		}
	}
}

// victims is how often a trial is made again of which no upstream has heard. What an upstream sends after the end of its answer may
// come when the connection has been taken for another request, whose answer it then seems to be.
const victims = 3

// judge holds what the client got against the ledger.
func (s *stage) judge(c *trial, got *outcome) error {
	calls := len(s.ledger.of(c.name, c.path.upstreams[0]))
	handedOver := c.path.fallback && len(s.ledger.of(c.name, second)) > 0
	ok := got.status == http.StatusOK
	switch {
	case ok && len(got.ends) != 1, got.after:
		return fmt.Errorf("ends: %q, want exactly one, and nothing after it (text %q)", got.ends, got.text)
	case !ok && got.status != http.StatusBadGateway && got.status != http.StatusGatewayTimeout:
		return fmt.Errorf("status %d, want 200, 502 or 504", got.status)
	case calls < 1 || calls > 2 || calls == 2 && c.script.at > 0:
		return fmt.Errorf("%d calls, want one, or two where the first got no byte of an answer", calls)
	}
	want := c.wanted()
	if c.path.fallback && (want == refused || want == either && handedOver) {
		want = complete // by the other
	} else if handedOver {
		return errors.New("another upstream was asked, though this one had said something")
	}
	return c.path.compare(want, c.script.answer.said(c.script.at), got)
}

// What a client gets of one upstream.
type want string

const (
	complete want = "all of it"
	broken   want = "what was said, and an error event"
	refused  want = "a status"
	either   want = "any of them" // what arrived cannot be known
)

// wanted says it of a script.
func (c *trial) wanted() want {
	a, at := &c.script.answer, c.script.at
	switch c.script.fault {
	case nothing, trickle:
		return complete
	case misstated:
		return refused
	case early, reset: // what was sent before a reset may be lost with it
		return either
	case hints:
		if at > fewHints {
			return refused
		}
		return complete
	case hang:
		// net/http returns nothing of what has come while the rest of a chunk is missing.
		if a.withinChunk(at) || a.done <= at && at < len(a.bytes) {
			return either
		}
	}
	switch {
	case at >= a.done:
		return complete
	case at >= a.done-len("\n\n") && c.path.stream: // a mark of the end that lacks its blank line may be one
		return either
	case a.said(at) != "":
		return broken
	default:
		return refused
	}
}

// fewHints are as many answers of 1xx as a head may follow: all heads together have a bound.
const fewHints = 50

// compare holds an outcome against what is wanted, of what the faulty upstream has said.
func (p *path) compare(w want, heard string, got *outcome) error {
	all := said
	if len(p.upstreams) > 1 && !p.fallback {
		all += said
	}
	ended := slices.Equal(got.ends, []string{done})
	fits := map[want]bool{
		complete: ended && got.text == all,
		broken:   slices.Equal(got.ends, []string{failed}) && got.text == heard,
		refused:  got.status != http.StatusOK,
		either:   ended && got.text == all || !ended && strings.HasPrefix(all, got.text),
	}
	if !fits[w] {
		return fmt.Errorf("status %d, ends %q, text %q; want %s (heard: %q)", got.status, got.ends, got.text, w, heard)
	}
	return nil
}

// atRest waits until the gateway has nothing in flight and no more descriptors than before.
func (s *stage) atRest(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		inFlight, now := s.gateway.Status().InFlight, descriptors(t)
		if inFlight == 0 && now <= before+atOnce { // connections that may be used again
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are in flight, and %d descriptors open, %d before", inFlight, now, before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
