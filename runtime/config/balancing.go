package config

import (
	"cmp"
	"time"
)

// The ways to spread calls over endpoints.
const (
	// LeastInFlight compares two endpoints and takes the one with fewer open calls for its weight. An empty LoadBalancing means
	// this one.
	LeastInFlight = "LeastInFlight"
	// RoundRobin takes the endpoints in turn, each in proportion to its weight.
	RoundRobin = "RoundRobin"
	// ConsistentHash takes the same endpoint for equal keys, unless that endpoint is too busy. Without a key it is LeastInFlight.
	ConsistentHash = "ConsistentHash"
)

// LoadBalancings are all of them.
func LoadBalancings() []string { return []string{LeastInFlight, RoundRobin, ConsistentHash} }

// KeyedBalancing says which calls go to one endpoint.
type KeyedBalancing struct {
	// Key is a template over the request.
	Key string `json:"key"`
	// LoadPercent is how many of the open calls an endpoint may have, in percent of its share; 0 is a default of package upstream.
	LoadPercent int `json:"loadPercent,omitzero"`
}

// Queue bounds the calls that wait for one of an upstream's to end. A zero value stands for a default.
type Queue struct {
	Depth int `json:"depth,omitzero"`
	// Timeout bounds each wait.
	Timeout Duration `json:"timeout,omitzero"`
}

// The defaults of Queue, and the most that may wait.
const (
	DefaultQueueDepth   = 100
	MaxQueueDepth       = 10000
	DefaultQueueTimeout = 2 * time.Second
)

// Limited reports whether calls of the upstream may have to wait for others to end, and then how many, and each for how long.
func (u *Upstream) Limited() (depth int, timeout time.Duration, limited bool) {
	limited = u.MaxInFlight > 0
	for _, e := range u.Endpoints {
		limited = limited || e.MaxInFlight > 0
	}
	if !limited {
		return 0, 0, false
	}
	var q Queue
	if u.Queue != nil {
		q = *u.Queue
	}
	return cmp.Or(q.Depth, DefaultQueueDepth), cmp.Or(q.Timeout.Std(), DefaultQueueTimeout), true
}

// Ejection says when an endpoint that fails gets no calls for a while. A zero value stands for a default of package
// upstream, unless its field says otherwise.
type Ejection struct {
	ConsecutiveFailures int `json:"consecutiveFailures,omitzero"`
	// FailureRatio counts failures that are not in a row; nil does not.
	FailureRatio *FailureRatio `json:"failureRatio,omitzero"`
	Backoff      *Backoff      `json:"backoff,omitzero"`
	// MaxPercent is the share of the endpoints that may be ejected at once; nil is all of them, and 0 none.
	MaxPercent *int `json:"maxPercent,omitzero"`
	// PanicPercent is the share below which calls go to all endpoints; 0 is only when none is left.
	PanicPercent int `json:"panicPercent,omitzero"`
}

// FailureRatio is a share of failed calls.
type FailureRatio struct {
	Percent int `json:"percent"`
	// MinCalls is how many calls there have to be within Window.
	MinCalls int      `json:"minCalls,omitzero"`
	Window   Duration `json:"window,omitzero"`
}

// Backoff is a time that doubles from one failure to the next. A zero value stands for a default.
type Backoff struct {
	Initial Duration `json:"initial,omitzero"`
	Max     Duration `json:"max,omitzero"`
}

// The default pauses of an endpoint that fails.
const (
	FirstPause = time.Second
	MaxPause   = 30 * time.Second
)

// DefaultEjection is how long an endpoint is ejected.
var DefaultEjection = Backoff{Initial: Duration(FirstPause), Max: Duration(MaxPause)}

// Or are the times, with those of a default in place of those that are absent.
func (b *Backoff) Or(d Backoff) (initial, most time.Duration) {
	if b == nil {
		return d.Initial.Std(), d.Max.Std()
	}
	return cmp.Or(b.Initial, d.Initial).Std(), cmp.Or(b.Max, d.Max).Std()
}
