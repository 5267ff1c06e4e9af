package matrix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/test/variants"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atOnce is how many cases are under way at the same time, most of which wait for time to pass.
const atOnce = 64

// trial is one cell of the matrix.
type trial struct {
	name   string
	path   *path
	prefix string
	script script // of the first upstream
	slowly bool   // the client reads so
}

// slow is the fault of a client.
const slow = "slow reader"

// fault names the trial's.
func (c *trial) fault() string {
	if c.slowly {
		return slow
	}
	return c.script.fault
}

// trials are the cells, of which each has a name that its request carries.
var trials = sync.OnceValue(func() []trial {
	var list []trial
	for i := range paths {
		for _, c := range paths[i].trials() {
			c.name, c.path = fmt.Sprintf("case-%d", len(list)), &paths[i]
			if f := c.script.fault; f == hang || f == halfClose || f == early {
				c.prefix = "hasty-"
			}
			list = append(list, c)
		}
	}
	return list
})

// positional are the faults that happen at a byte, whichever it is.
var positional = []string{reset, closed, halfClose, hang, garbage}

func (p *path) trials() []trial {
	var list []trial
	add := func(a answer, fault string, at int) {
		list = append(list, trial{script: script{answer: a, fault: fault, at: at}})
	}
	good := p.good()
	for _, fault := range positional {
		for _, at := range good.offsets() {
			add(good, fault, at)
		}
	}
	for _, fault := range []string{trickle, early, nothing} {
		add(good, fault, len(good.bytes))
	}
	for _, before := range []int{1, fewHints, 5000} {
		add(good, hints, before)
	}
	if p.stream {
		return append(list, p.ofStreams()...)
	}
	return append(list, p.ofWholes()...)
}

// padding makes an answer that does not fit into the buffers between a gateway and a client who does not read.
var padding = strings.Repeat("x", 1<<20)

// ofStreams are the faults of a stream's framing and events.
func (p *path) ofStreams() (list []trial) {
	add := func(a answer, fault string, at int, slowly bool) {
		list = append(list, trial{script: script{answer: a, fault: fault, at: at}, slowly: slowly})
	}
	frames := p.api.frames("")
	large := endless(frames)
	for _, at := range []int{0, large.head, large.contents[0], large.contents[len(large.contents)-1], large.done} { // one of each phase
		add(large, oversize, at, false)
	}
	for n := range frames {
		ends := chunked(frames[:n], -1, 0)
		add(ends, unended, len(ends.bytes), false)
	}
	for _, off := range []int{-7, 7} {
		wrong := measured(frames, off)
		add(wrong, misstated, len(wrong.bytes), false)
	}
	for n := range frames {
		for _, by := range []int{-1, 1} {
			wrong := chunked(frames, n, by)
			add(wrong, misframed, len(wrong.bytes), false)
		}
	}
	padded := chunked(p.api.frames(padding), -1, 0)
	add(padded, nothing, len(padded.bytes), true)
	for _, fault := range []string{reset, closed, garbage} {
		add(padded, fault, padded.contents[2], true)
	}
	return list
}

// ofWholes are those of a whole answer.
func (p *path) ofWholes() (list []trial) {
	add := func(a answer, fault string, at int, slowly bool) {
		list = append(list, trial{script: script{answer: a, fault: fault, at: at}, slowly: slowly})
	}
	body := p.api.body("")
	for _, large := range []answer{p.good(), unsized(body)} {
		for _, at := range []int{0, large.head, len(large.bytes) - 2, len(large.bytes)} {
			add(large, oversize, at, false)
		}
	}
	for _, size := range []int{0, 1, len(body) / 2, len(body) - 1} {
		ends := cut(body, size)
		add(ends, unended, len(ends.bytes), false)
	}
	for _, off := range []int{-7, 7} {
		wrong := sized(body, len(body)+off)
		add(wrong, misstated, len(wrong.bytes), false)
	}
	body = p.api.body(padding)
	padded := sized(body, len(body))
	add(padded, nothing, len(padded.bytes), true)
	add(padded, closed, len(padded.bytes)-2, true)
	return list
}

// good is what the path's first upstream answers without a fault.
func (p *path) good() answer {
	if p.stream {
		return p.api.streamed()
	}
	return p.api.whole()
}

// TestEachCellHasATrial: each fault happens on each path, and those that happen at a byte, in each phase of each path's answer.
func TestEachCellHasATrial(t *testing.T) {
	type cell struct{ path, fault, phase string }
	have := map[cell]bool{}
	for _, c := range trials() {
		have[cell{c.path.name, c.fault(), ""}] = true
		have[cell{c.path.name, c.fault(), c.script.answer.phase(c.script.at)}] = true
	}
	for i := range paths {
		p := &paths[i]
		for _, fault := range []string{unended, oversize, slow, trickle, hints, early, misstated, misframed} {
			if fault == misframed && !p.stream {
				continue // the others are not in chunks
			}
			if !have[cell{p.name, fault, ""}] {
				t.Errorf("%s: no %s", p.name, fault)
			}
		}
		for _, phase := range phases {
			if !p.stream && (phase == phases[1] || phase == phases[2]) {
				continue // they have no events
			}
			for _, fault := range positional {
				if !have[cell{p.name, fault, phase}] {
					t.Errorf("%s: no %s %s", p.name, fault, phase)
				}
			}
			if p.stream && !have[cell{p.name, oversize, phase}] {
				t.Errorf("%s: no %s %s", p.name, oversize, phase)
			}
		}
	}
}

// TestMatrix: whatever fails, and wherever, the client gets one explicit end, of what the upstream said and nothing else;
// nothing is asked again once content was sent; and nothing is left of it all.
func TestMatrix(t *testing.T) {
	for _, v := range variants.Each(t) {
		t.Run(v.String(), func(t *testing.T) { playAll(t, start(t, v)) })
	}
}

func playAll(t *testing.T, s *stage) {
	t.Helper()
	clients := newClients()
	defer clients.close()
	warm := slices.Clone(trials()[:1])
	warm[0].name = "case-first"
	s.play(t, clients, warm) // what is opened once is open now
	before := descriptors(t)
	list := slices.Clone(trials())
	s.play(t, clients, list)
	tally := map[string]int{}
	for _, c := range list {
		tally[c.fault()+", "+c.script.answer.phase(c.script.at)]++
	}
	for _, cell := range sortedKeys(tally) {
		t.Logf("%4d × %s", tally[cell], cell)
	}
	s.atRest(t, before)
	s.keepsQuiet(t)
}

// clients are those of a test: the one that reads slowly has a small buffer.
type clients struct{ swift, slow *http.Client }

func newClients() *clients {
	narrow := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(64 << 10)
		}
		return conn, err
	}
	return &clients{
		swift: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		slow:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: narrow}},
	}
}

func (c *clients) of(trial *trial) *http.Client {
	if trial.slowly {
		return c.slow
	}
	return c.swift
}

func (c *clients) close() {
	c.swift.CloseIdleConnections()
	c.slow.CloseIdleConnections()
}

func (s *stage) play(t *testing.T, clients *clients, list []trial) {
	t.Helper()
	slots := make(chan struct{}, atOnce)
	var under sync.WaitGroup
	for i := range list {
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			c := &list[i]
			if err := s.try(t.Context(), clients.of(c), c); err != nil {
				t.Errorf("%s, %s at byte %d of %d (%s): %v", c.path.name, c.fault(), c.script.at, len(c.script.answer.bytes),
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
	name := c.name
	for left := victims; ; left-- {
		s.ledger.plan(c.name, scripts)
		got, err := ask(ctx, client, s.address, c.path, c.prefix, c.name, c.slowly)
		if err != nil {
			return err
		}
		if err := s.ledger.ended(ctx, c.name); err != nil {
			return err
		}
		if left == 0 || len(s.ledger.of(c.name, c.path.upstreams[0])) > 0 {
			return s.judge(c, &got)
		}
		c.name = fmt.Sprintf("%sagain%d", name, left) // the others may have heard of it
	}
}

// victims is how often a trial is made again of which its upstream has not heard. What an upstream sends after the end of its answer may
// come when the connection has been taken for another request, whose answer it then seems to be.
const victims = 8

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
	if c.path.fallback && (want == refused || handedOver && (want == either || want == ended)) {
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
	ended    want = "a status, or some of what was said and an error event"
	either   want = "any of them" // what arrived cannot be known
)

// wanted says it of a script.
func (c *trial) wanted() want {
	a, at := &c.script.answer, c.script.at
	switch c.script.fault {
	case nothing, trickle:
		return complete
	case misframed:
		if a.done < never {
			return either // all has been said before it
		}
		return ended
	case oversize:
		if c.path.fallback && a.head <= at && a.said(at) == "" {
			return either // a route asks the next one, and a model does not: what is too large once is so again
		}
	case misstated:
		if !c.path.stream {
			return refused
		}
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
	text := all
	if len(p.upstreams) > 1 && !p.fallback {
		text += all
	}
	whole, some := slices.Equal(got.ends, []string{done}) && got.text == text, strings.HasPrefix(text, got.text)
	fails := slices.Equal(got.ends, []string{failed})
	fits := map[want]bool{
		complete: whole,
		broken:   fails && got.text == heard,
		refused:  got.status != http.StatusOK,
		ended:    got.status != http.StatusOK || fails && some,
		either:   whole || len(got.ends) == 0 || fails && some,
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
