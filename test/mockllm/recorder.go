package mockllm

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Outcome is how a chat request ended.
type Outcome string

// The outcomes. Every request that was opened gets exactly one of the last
// three.
const (
	OutcomeOpen      Outcome = "Open"
	OutcomeFinished  Outcome = "Finished"  // answered to the end
	OutcomeCancelled Outcome = "Cancelled" // the client went before that
	OutcomeFailed    Outcome = "Failed"    // the script, or Close, ended it otherwise
)

// Request is what is known about one chat request.
type Request struct {
	Header     http.Header
	Body       []byte
	Script     Script
	Outcome    Outcome
	TokensSent int
	BytesSent  int64 // of the response's body
}

// Stats are figures over all chat requests that got as far as a script.
// Opened = Open + Finished + Cancelled + Failed.
type Stats struct {
	Open       int   `json:"open"`
	PeakOpen   int   `json:"peakOpen"`
	Opened     int   `json:"opened"`
	Finished   int   `json:"finished"`
	Cancelled  int   `json:"cancelled"`
	Failed     int   `json:"failed"`
	Rejected   int   `json:"rejected"` // answered 4xx by the mock itself: key, body, model or script
	TokensSent int64 `json:"tokensSent"`
	BytesSent  int64 `json:"bytesSent"`
}

// Recorder remembers what a [Server] was asked and what became of it. It keeps
// the last requests only, so that a load test does not fill the memory.
type Recorder struct {
	keep          int
	tokens, bytes atomic.Int64

	mu      sync.Mutex
	stats   Stats
	calls   []*call // the last keep ones, oldest first
	changed chan struct{}
}

// call is one request while it runs and after. Only its handler writes.
type call struct {
	header http.Header
	body   []byte
	script Script

	outcome       Outcome // guarded by Recorder.mu
	tokens, bytes atomic.Int64
}

// Stats returns the figures of this moment.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.statsLocked()
}

func (r *Recorder) statsLocked() Stats {
	s := r.stats
	s.TokensSent, s.BytesSent = r.tokens.Load(), r.bytes.Load()
	return s
}

// Requests returns the last chat requests, in the order of their arrival,
// open ones included.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Request, 0, len(r.calls))
	for _, c := range r.calls {
		out = append(out, Request{
			Header: c.header.Clone(), Body: slices.Clone(c.body), Script: c.script, Outcome: c.outcome,
			TokensSent: int(c.tokens.Load()), BytesSent: c.bytes.Load(),
		})
	}
	return out
}

// Await returns the figures as soon as ok holds for them. It looks whenever a
// request is opened, rejected or ended, not for every token. When ctx ends
// first it returns the last figures and the context's cause.
func (r *Recorder) Await(ctx context.Context, ok func(Stats) bool) (Stats, error) {
	for {
		r.mu.Lock()
		stats := r.statsLocked()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		if ok(stats) {
			return stats, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return stats, context.Cause(ctx)
		}
	}
}

func (r *Recorder) opened(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.outcome = OutcomeOpen
	r.calls = append(r.calls, c)
	if len(r.calls) > r.keep {
		r.calls = slices.Delete(r.calls, 0, len(r.calls)-r.keep)
	}
	r.stats.Opened++
	r.stats.Open++
	r.stats.PeakOpen = max(r.stats.PeakOpen, r.stats.Open)
	r.notifyLocked()
}

func (r *Recorder) ended(c *call, o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.outcome = o
	r.stats.Open--
	switch o {
	case OutcomeFinished:
		r.stats.Finished++
	case OutcomeCancelled:
		r.stats.Cancelled++
	default:
		r.stats.Failed++
	}
	r.notifyLocked()
}

func (r *Recorder) rejected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Rejected++
	r.notifyLocked()
}

func (r *Recorder) notifyLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Recorder) sent(c *call, bytes int) {
	c.bytes.Add(int64(bytes))
	r.bytes.Add(int64(bytes))
}

func (r *Recorder) sentTokens(c *call, n int) {
	c.tokens.Add(int64(n))
	r.tokens.Add(int64(n))
}
