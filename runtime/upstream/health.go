package upstream

import (
	"net/http"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// firstPause is how long an endpoint that failed is left out; it doubles as long as the endpoint fails again.
	firstPause = time.Second
	// maxPause bounds it.
	maxPause = 30 * time.Second
	// brokenAnswers is how many answers in a row have to be no good until their endpoint is left out. A single one may
	// be its request's fault.
	brokenAnswers = 2
)

// health is how an endpoint has done lately. An endpoint that fails at once has few calls open and looks idle, so
// nothing but this keeps calls from it. The zero value is in good health.
type health struct {
	mu       sync.Mutex
	failures int       // in a row
	pauses   int       // in a row
	until    time.Time // the end of the last pause
	trying   bool      // one call goes to find out whether the pause was long enough
}

// fit says whether the endpoint may be chosen at now, else when its pause ends.
func (h *health) fit(now time.Time) (until time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until, !now.Before(h.until)
}

// choose is told of a choice, and may object to it: after a pause there is one call until it is known how it went, or
// until as much time has passed again.
func (h *health) choose(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case now.Before(h.until):
		return false
	case h.pauses > 0:
		h.trying, h.until = true, now.Add(h.pause())
	}
	return true
}

// settle is told how a call ended at now.
func (h *health) settle(f relay.Failure, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch rate(f) {
	case well:
		h.failures, h.pauses, h.trying, h.until = 0, 0, false, time.Time{}
	case badly:
		h.failures = max(h.failures+1, brokenAnswers)
		h.fail(f, now)
	case broken:
		h.failures++
		h.fail(f, now)
	case unrelated:
	}
}

func (h *health) fail(f relay.Failure, now time.Time) {
	if h.failures < brokenAnswers || now.Before(h.until) && !h.trying {
		return // calls that began before the pause say nothing about how long it should be
	}
	h.pauses++
	h.trying, h.until = false, now.Add(max(h.pause(), min(f.RetryAfter, maxPause)))
}

func (h *health) pause() time.Duration {
	return min(firstPause<<min(h.pauses-1, 10), maxPause)
}

type rating int

const (
	unrelated rating = iota // to the endpoint: nobody waits any more, or the route has had enough
	well                    // though it may be the answer that the request is wrong
	broken                  // an answer, or none in time, which may have to do with the request
	badly                   // no answer at all
)

func rate(f relay.Failure) rating {
	switch f.Kind {
	case relay.NoFailure:
		return well
	case relay.FailedConnect:
		return badly
	case relay.FailedFirstToken, relay.FailedTruncated, relay.FailedMalformed, relay.FailedEvent:
		return broken
	case relay.FailedStatus:
		if f.Status == http.StatusTooManyRequests || f.Status >= 500 {
			return broken
		}
		return well
	default:
		return unrelated
	}
}
