package upstream

import (
	"cmp"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// Ejection says when an endpoint that fails is left out, and for how long. A zero value stands for a
// default, unless its field says otherwise.
type Ejection struct {
	// ConsecutiveFailures is how many answers in a row have to be no good; a single one may be its request's fault. Where no
	// connection can be made, one failure counts for all of them.
	ConsecutiveFailures int
	// FailurePercent is the share of the calls that have to fail within Window, of which there have to be MinCalls; 0 is no
	// share, so that only failures in a row count.
	FailurePercent, MinCalls int
	Window                   time.Duration
	// First is how long an endpoint is left out; it doubles as long as it fails again, up to Max. Each time up to a fifth
	// less is drawn.
	First, Max time.Duration
	// MaxPercent is the share of the endpoints that may be left out at once, at least one; 0 is none, and nil is all.
	MaxPercent *int
	// PanicPercent is the share below which the endpoints that are left are too few, so that none is left out; 0 is that only
	// none is too few.
	PanicPercent int
}

// The defaults of Ejection.
const (
	brokenAnswers = 2
	ratioCalls    = 10
	ratioWindow   = 10 * time.Second
	firstPause    = time.Second
	maxPause      = 30 * time.Second
	// jitter is the part of a pause that is drawn, so that what failed at once does not come back at once.
	jitter = 0.2
)

func (e *Ejection) orDefaults() Ejection {
	d := *e
	d.ConsecutiveFailures = cmp.Or(d.ConsecutiveFailures, brokenAnswers)
	d.MinCalls = cmp.Or(d.MinCalls, ratioCalls)
	d.Window = cmp.Or(d.Window, ratioWindow)
	d.First = cmp.Or(d.First, firstPause)
	d.Max = cmp.Or(d.Max, maxPause)
	return d
}

// most is how many of so many endpoints may be left out at once, in hundredths.
func (e *Ejection) most(of int) int {
	switch {
	case e.MaxPercent == nil:
		return 100 * of
	case *e.MaxPercent == 0:
		return 0
	}
	return max(*e.MaxPercent*of, 100)
}

// panics says whether so few endpoints of all are left that the others are asked, too: those few would be drowned, and
// what ejects most of a pool is rarely the fault of each of its endpoints.
func (e *Ejection) panics(left, all int) bool { return 100*left < e.PanicPercent*all }

// pause is how long an endpoint is left out when that happens the given time in a row.
func (e *Ejection) pause(times int) time.Duration {
	pause := e.First
	for ; times > 1 && pause < e.Max; times-- {
		pause *= 2
	}
	return min(pause, e.Max)
}

// health is how an endpoint has done lately. An endpoint that fails at once has few calls open and looks idle, so
// nothing but this keeps calls from it. The zero value is in good health.
type health struct {
	failures int // in a row
	recent   recent
	// pauses counts those in a row: until a call that began after the last one has gone well.
	pauses int
	since  time.Time // the beginning of the last pause
	until  time.Time // its end
	trying bool      // a call goes to find out whether the pause was long enough
	back   time.Time // when the endpoint was well again after its pauses
}

// ejected says whether the endpoint is left out, or is being tried.
func (h *health) ejected() bool { return h.pauses > 0 }

// fit says whether the endpoint may be chosen at now, otherwise when that will be.
func (h *health) fit(now time.Time) (until time.Time, ok bool) { return h.until, !now.Before(h.until) }

// chosen is told of a choice. After a pause one call goes to an endpoint until it is known how that went; where nobody
// knows for as long as the next pause would be, another one.
func (h *health) chosen(now time.Time, e *Ejection) {
	if h.pauses == 0 || now.Before(h.until) {
		return
	}
	if h.trying {
		h.pauses++
	}
	h.trying, h.until = true, now.Add(e.pause(h.pauses))
}

// end is how a call ended.
type end struct {
	rating     rating
	RetryAfter time.Duration
}

// settle is told how a call ended that began at a time, and says whether the endpoint has to be left out for it.
func (h *health) settle(how end, began, now time.Time, e *Ejection) bool {
	if began.Before(h.since) {
		return false // it says nothing of how the endpoint has been since
	}
	switch how.rating {
	case well:
		h.failures = 0
		h.recent.count(now, e.Window, 0)
		if h.pauses > 0 {
			h.recover(now)
		}
		return false
	case badly:
		h.failures = max(h.failures+1, e.ConsecutiveFailures)
	case broken:
		h.failures++
	case unrelated:
		if h.trying {
			h.trying, h.until = false, now // a client that left says nothing of the endpoint: the next call may ask
		}
		return false
	}
	h.recent.count(now, e.Window, 1)
	if h.pauses > 0 {
		return h.trying || !now.Before(h.until) // others, while it is left out, do not prolong that
	}
	return h.failures >= e.ConsecutiveFailures || h.recent.fails(e)
}

func (h *health) recover(now time.Time) {
	h.pauses, h.trying, h.until, h.back = 0, false, time.Time{}, now
	h.recent = recent{}
}

// answered is told that a call that began at a time has begun to be answered. Whether that ends well may not be known for
// minutes, so after a pause the next call may follow it.
func (h *health) answered(began, now time.Time) {
	if h.trying && !began.Before(h.since) {
		h.trying, h.until = false, now
	}
}

// eject leaves the endpoint out, for as long as it asked for where that is longer.
func (h *health) eject(asked time.Duration, now time.Time, e *Ejection, random float64) {
	h.pauses++
	pause := e.pause(h.pauses)
	pause -= time.Duration(jitter * random * float64(pause))
	h.trying, h.since, h.until = false, now, now.Add(max(pause, min(asked, e.Max)))
	h.recent = recent{}
}

// recent counts the calls of a window, in two halves of which the older one is dropped when the newer one is over.
type recent struct {
	began       time.Time // of the newer half
	now, before struct{ calls, failures int }
}

func (r *recent) count(now time.Time, window time.Duration, failures int) {
	switch age := now.Sub(r.began); {
	case age >= window:
		*r = recent{began: now}
	case age >= window/2:
		r.began, r.before, r.now = now, r.now, struct{ calls, failures int }{}
	}
	r.now.calls++
	r.now.failures += failures
}

// fails says whether too many of the calls failed.
func (r *recent) fails(e *Ejection) bool {
	calls, failures := r.now.calls+r.before.calls, r.now.failures+r.before.failures
	return e.FailurePercent > 0 && calls >= e.MinCalls && 100*failures >= e.FailurePercent*calls
}

type rating int

const (
	unrelated rating = iota // to the endpoint: nobody waits any more, or the route has had enough
	well                    // though it may be the answer that the request is wrong
	broken                  // an answer, or none in time, which may have to do with the request
	badly                   // no answer at all
)

// rate is what a call's end says of its endpoint.
func rate(f relay.Failure) end {
	switch f.Kind {
	case relay.NoFailure:
		return end{rating: well}
	case relay.FailedConnect, relay.FailedDial, relay.FailedAddress:
		if !f.Unsent {
			return end{rating: broken} // the connection was made, and lost
		}
		return end{rating: badly}
	case relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal, relay.FailedTruncated, relay.FailedMalformed,
		relay.FailedEvent:
		return end{rating: broken}
	case relay.FailedStatus:
		if f.Status == http.StatusTooManyRequests || f.Status >= 500 {
			return end{broken, f.RetryAfter}
		}
		return end{rating: well}
	default:
		return end{rating: unrelated}
	}
}
