package upstream

import (
	"cmp"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Ejection decides when an endpoint that fails is left out, and for how long. A zero value stands for a default, unless its
// field says otherwise.
type Ejection struct {
	// ConsecutiveFailures is how many answers in a row have to be bad, because a single one may be the fault of its request. A
	// connection that cannot be made counts for all of them.
	ConsecutiveFailures int
	// FailurePercent is the share of the calls within Window that have to fail, if there are at least MinCalls; if it is 0,
	// only failures in a row count.
	FailurePercent, MinCalls int
	Window                   time.Duration
	// First is how long an endpoint is left out. It doubles as long as the endpoint fails again, up to Max. A random part of up
	// to a fifth is subtracted each time.
	First, Max time.Duration
	// MaxPercent is the share of the endpoints that may be left out at once, but at least one endpoint; 0 means none, and nil
	// means all.
	MaxPercent *int
	// PanicPercent is the share of the endpoints that have to be left; if there are fewer, all are asked. With 0, all are asked
	// only if none is left.
	PanicPercent int
}

// The other defaults of Ejection.
const (
	brokenAnswers = 2
	ratioCalls    = 10
	ratioWindow   = 10 * time.Second
	// jitter is the random part of a pause, so that endpoints that failed together do not come back together.
	jitter = 0.2
)

func (e *Ejection) orDefaults() Ejection {
	d := *e
	d.ConsecutiveFailures = cmp.Or(d.ConsecutiveFailures, brokenAnswers)
	d.MinCalls = cmp.Or(d.MinCalls, ratioCalls)
	d.Window = cmp.Or(d.Window, ratioWindow)
	d.First = cmp.Or(d.First, config.FirstPause)
	d.Max = cmp.Or(d.Max, config.MaxPause)
	return d
}

// most is how many of the given number of endpoints may be left out at once, in hundredths.
func (e *Ejection) most(of int) int {
	switch {
	case e.MaxPercent == nil:
		return 100 * of
	case *e.MaxPercent == 0:
		return 0
	}
	return max(*e.MaxPercent*of, 100)
}

// panics reports whether so few endpoints are left that the others are asked, too. The few would be overwhelmed, and if most of
// a pool is ejected, the endpoints themselves are rarely at fault.
func (e *Ejection) panics(left, all int) bool { return 100*left < e.PanicPercent*all }

// pause is how long an endpoint is left out the given time in a row.
func (e *Ejection) pause(times int) time.Duration {
	pause := e.First
	for ; times > 1 && pause < e.Max; times-- {
		pause *= 2
	}
	return min(pause, e.Max)
}

// health is how an endpoint has done lately. An endpoint that fails at once has few open calls and looks idle, so only this
// keeps calls away from it. The zero value is in good health.
type health struct {
	failures int // in a row
	recent   recent
	// pauses counts them in a row, until a call that began after the last one goes well.
	pauses int
	since  time.Time // the beginning of the last pause
	until  time.Time // its end
	trying bool      // a call is on its way that shows whether the pause was long enough
	back   time.Time // when the endpoint recovered after its pauses
}

// ejected reports whether the endpoint is left out, or is being tried.
func (h *health) ejected() bool { return h.pauses > 0 }

// fit reports whether the endpoint may be chosen at now, and otherwise when it may be.
func (h *health) fit(now time.Time) (until time.Time, ok bool) { return h.until, !now.Before(h.until) }

// chosen records a choice. After a pause, the endpoint gets one call until the result is known; if there is none for as long as
// the next pause would be, it gets another.
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

// settle records the end of a call that began at began, and reports whether the endpoint has to be left out because of it.
func (h *health) settle(how end, began, now time.Time, e *Ejection) bool {
	if began.Before(h.since) {
		return false // it shows nothing of how the endpoint has been since
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
			h.trying, h.until = false, now // a client that left shows nothing of the endpoint: the next call may try it
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

// answered records that a call which began at began is being answered. Its end may not be known for minutes, so after a pause
// the next call may follow it.
func (h *health) answered(began, now time.Time) {
	if h.trying && !began.Before(h.since) {
		h.trying, h.until = false, now
	}
}

// eject leaves the endpoint out for a pause, or for the time that it asked for if that is longer.
func (h *health) eject(asked time.Duration, now time.Time, e *Ejection, random float64) {
	h.pauses++
	pause := e.pause(h.pauses)
	pause -= time.Duration(jitter * random * float64(pause))
	h.trying, h.since, h.until = false, now, now.Add(max(pause, min(asked, e.Max)))
	h.recent = recent{}
}

// recent counts the calls of a window, in two halves; the older one is dropped when the newer one is over.
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

// fails reports whether too many of the calls failed.
func (r *recent) fails(e *Ejection) bool {
	calls, failures := r.now.calls+r.before.calls, r.now.failures+r.before.failures
	return e.FailurePercent > 0 && calls >= e.MinCalls && 100*failures >= e.FailurePercent*calls
}

type rating int

const (
	unrelated rating = iota // to the endpoint: nobody waits any more, or the route has reached a limit
	well                    // although the answer may be that the request is wrong
	broken                  // an answer, or none in time, which may be the request's fault
	badly                   // no answer at all
)

// rate is what the end of a call says about its endpoint.
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
