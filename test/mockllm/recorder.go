package mockllm

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
)

// Outcome is how a request ended.
type Outcome string

// The outcomes. Every request that was opened gets exactly one of the last
// three.
const (
	OutcomeOpen      Outcome = "Open"
	OutcomeFinished  Outcome = "Finished"  // answered to the end
	OutcomeCancelled Outcome = "Cancelled" // the client went before that
	OutcomeFailed    Outcome = "Failed"    // the script, or Close, ended it otherwise
)

// Request is what is known about one request.
type Request struct {
	Method     string
	URL        *url.URL // path and query
	Header     http.Header
	Body       []byte
	Script     Script
	Outcome    Outcome
	TokensSent int
	BytesSent  int64 // of the response's body
}

// Stats are figures over the requests that got as far as a script.
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
	keep int
	all  figures

	mu      sync.Mutex
	paths   map[string]*figures
	calls   []*call // the last keep ones, oldest first
	changed chan struct{}
}

// figures are what Stats are read from.
type figures struct {
	stats         Stats // guarded by Recorder.mu
	tokens, bytes atomic.Int64
}

func (f *figures) read() Stats {
	s := f.stats
	s.TokensSent, s.BytesSent = f.tokens.Load(), f.bytes.Load()
	return s
}

// call is one request while it runs and after. Only its handler writes.
type call struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	script Script

	outcome       Outcome // guarded by Recorder.mu
	tokens, bytes atomic.Int64
	path          *figures
}

// Stats returns the figures of this moment.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.read()
}

// StatsOf returns the figures of one path alone.
func (r *Recorder) StatsOf(path string) Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.paths[path]; ok {
		return f.read()
	}
	return Stats{}
}

func (r *Recorder) pathLocked(path string) *figures {
	if r.paths[path] == nil {
		if r.paths == nil {
			r.paths = map[string]*figures{}
		}
		r.paths[path] = &figures{}
	}
	return r.paths[path]
}

// Requests returns the last requests, in the order of their arrival,
// open ones included.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Request, 0, len(r.calls))
	for _, c := range r.calls {
		out = append(out, Request{
			Method: c.method, URL: c.url, Header: c.header.Clone(), Body: slices.Clone(c.body), Script: c.script, Outcome: c.outcome,
			TokensSent: int(c.tokens.Load()), BytesSent: c.bytes.Load(),
		})
	}
	return out
}

// Await returns the figures as soon as ok holds for them. It looks whenever a
// request is opened, rejected or ended, not for every token; ok may ask for
// more, such as StatsOf. When ctx ends
// first it returns the last figures and the context's cause.
func (r *Recorder) Await(ctx context.Context, ok func(Stats) bool) (Stats, error) {
	for {
		r.mu.Lock()
		stats := r.all.read()
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
	c.path = r.pathLocked(c.url.Path)
	for _, f := range []*figures{&r.all, c.path} {
		f.stats.Opened++
		f.stats.Open++
		f.stats.PeakOpen = max(f.stats.PeakOpen, f.stats.Open)
	}
	r.notifyLocked()
}

func (r *Recorder) ended(c *call, o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.outcome = o
	for _, f := range []*figures{&r.all, c.path} {
		f.stats.ended(o)
	}
	r.notifyLocked()
}

func (s *Stats) ended(o Outcome) {
	s.Open--
	switch o {
	case OutcomeFinished:
		s.Finished++
	case OutcomeCancelled:
		s.Cancelled++
	default:
		s.Failed++
	}
}

func (r *Recorder) rejected(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.stats.Rejected++
	r.pathLocked(path).stats.Rejected++
	r.notifyLocked()
}

func (r *Recorder) notifyLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Recorder) sent(c *call, bytes int) {
	for _, n := range []*atomic.Int64{&c.bytes, &c.path.bytes, &r.all.bytes} {
		n.Add(int64(bytes))
	}
}

func (r *Recorder) sentTokens(c *call, n int) {
	for _, sum := range []*atomic.Int64{&c.tokens, &c.path.tokens, &r.all.tokens} {
		sum.Add(int64(n))
	}
}
