package faults

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// fault is what goes wrong between an operator and the API server, from the start of a script until it is healed.
type fault interface {
	// begin is called once the first operator runs; what it starts ends with the context.
	begin(ctx context.Context, r *run)
	// step is called before the step with this number, from 0.
	step(r *run, n int)
	// write passes a write on, or does not.
	write(r *run, l *link, w *write, pass send) (*http.Response, error)
	read(r *run, of target, sent *http.Request, pass send) (*http.Response, error)
	// refuseWatch answers a watch in the API server's place, or returns nil.
	refuseWatch(r *run, of target, sent *http.Request) *http.Response
	// event passes an event on, now or at a later tick, or does not.
	event(r *run, s *stream, e event)
	tick(r *run, s *stream)
	// meanwhile checks what must hold at the end of the script, before the fault is healed.
	meanwhile(r *run)
	// blocks says that steps may not come to their end before the fault is healed, nor gateways serve what comes between.
	blocks() bool
	// slack is how many more writes of one kind may change something than in an undisturbed run.
	slack(kind string) int
}

// nothing goes wrong; it is also the base of all that does.
type nothing struct{}

var _ fault = nothing{}

func (nothing) begin(context.Context, *run)                                        {}
func (nothing) step(*run, int)                                                     {}
func (nothing) write(_ *run, _ *link, _ *write, pass send) (*http.Response, error) { return pass() }
func (nothing) refuseWatch(*run, target, *http.Request) *http.Response             { return nil }
func (nothing) event(_ *run, s *stream, e event)                                   { s.emit(e) }
func (nothing) tick(*run, *stream)                                                 {}
func (nothing) meanwhile(*run)                                                     {}
func (nothing) blocks() bool                                                       { return false }
func (nothing) slack(string) int                                                   { return 0 }

func (nothing) read(_ *run, _ target, _ *http.Request, pass send) (*http.Response, error) {
	return pass()
}

// crash ends the operator at its write k, counted from 1, and starts another.
type crash struct {
	nothing

	k     int64
	after bool
	count *atomic.Int64
}

func newCrash(k int, after bool) fault {
	return crash{k: int64(k), after: after, count: new(atomic.Int64)}
}

func (c crash) write(r *run, l *link, _ *write, pass send) (*http.Response, error) {
	if c.count.Add(1) != c.k {
		return pass()
	}
	if c.after {
		// What the API server answers is lost with the process.
		if response, err := pass(); err == nil {
			_ = response.Body.Close()
		}
	}
	l.die()
	go r.replace()
	return nil, errCut
}

func (c crash) meanwhile(r *run) {
	if c.count.Load() < c.k {
		r.t.Logf("there were %d writes only: nothing crashed", c.count.Load())
	}
}

// What happens to the events of one kind.
const (
	// dropped: some are lost, and a moment later the watch ends as expired, so that the client lists anew.
	dropped = "dropped"
	// doubled: each comes twice.
	doubled = "doubled"
	// late: what happens in a step is not seen for most of the time that the step may take.
	late = "late"
	// coalesced: of several about one object, only the last comes.
	coalesced = "coalesced"
	// withheld: nothing of what happens is seen before all is over.
	withheld = "withheld"
)

// eventFaults are those that one kind suffers while the others do not.
var eventFaults = []string{dropped, late, coalesced, withheld}

const (
	coalescing = 300 * time.Millisecond
	losing     = 400 * time.Millisecond
)

// events changes what is seen of one kind, or of all if it is empty.
type events struct {
	nothing

	how, kind string
	// window is when the step that runs shall be seen.
	window *atomic.Int64
}

func newEvents(how, kind string) fault {
	return events{how: how, kind: kind, window: new(atomic.Int64)}
}

func (f events) step(*run, int) { f.window.Store(time.Now().Add(lateness).UnixNano()) }

func (f events) event(r *run, s *stream, e event) {
	switch {
	case f.kind != "" && s.kind != f.kind || r.healed.Load() || e.Type == "ERROR":
		s.flush()
		s.emit(e)
	case f.how == doubled:
		s.emit(e)
		if e.Type != "BOOKMARK" {
			s.emit(e)
		}
	case f.how == dropped:
		if r.chance(2) && e.Type != "BOOKMARK" {
			if s.losing.IsZero() {
				s.losing = time.Now()
			}
			return
		}
		s.emit(e)
	default:
		s.held = append(s.held, e)
	}
}

func (f events) blocks() bool { return f.how == withheld }

func (f events) tick(r *run, s *stream) {
	switch {
	case !s.losing.IsZero() && (r.healed.Load() || time.Since(s.losing) > losing):
		s.losing = time.Time{}
		_, _ = s.write.Write([]byte(expired))
		s.close(http.ErrAbortHandler)
	case len(s.held) == 0:
	case r.healed.Load(), f.how == late && time.Now().UnixNano() > f.window.Load():
		s.flush()
	case f.how == coalesced && r.chance(int(coalescing/tick)):
		s.held = lastOfEach(s.held)
		s.flush()
	}
}

func lastOfEach(held []event) []event {
	var kept []event
	for i, e := range held {
		superseded := false
		for _, later := range held[i+1:] {
			superseded = superseded || (later.Type != "BOOKMARK" && later.Object.Metadata.Name == e.Object.Metadata.Name)
		}
		if !superseded || e.Type == "BOOKMARK" {
			kept = append(kept, e)
		}
	}
	return kept
}

// oldView restarts the operator before a step's end onto an API server that still answers as it was some steps before: its
// lists are old, and its watches silent, until the fault is healed.
type oldView struct {
	nothing

	at int
	// kinds are those that are old; all, if there are none.
	kinds []string
	seen  *atomic.Pointer[string]
	on    *atomic.Bool
}

func newOldView(at int, kinds ...string) fault {
	return oldView{at: at, kinds: kinds, seen: new(atomic.Pointer[string]), on: new(atomic.Bool)}
}

func (f oldView) step(r *run, n int) {
	switch n {
	case f.at:
		version := r.resourceVersion()
		f.seen.Store(&version)
	case f.at + 1:
		r.stop()
		f.on.Store(true)
		r.start()
	}
}

func (oldView) blocks() bool { return true }

func (f oldView) old(r *run, kind string) bool {
	return f.on.Load() && !r.healed.Load() && (len(f.kinds) == 0 || slices.Contains(f.kinds, kind))
}

func (f oldView) refuseWatch(r *run, of target, sent *http.Request) *http.Response {
	if f.old(r, of.kind) && sent.URL.Query().Get("sendInitialEvents") != "" {
		return refusal(http.StatusUnprocessableEntity, "list instead")
	}
	return nil
}

func (f oldView) read(r *run, of target, sent *http.Request, pass send) (*http.Response, error) {
	if !f.old(r, of.kind) || of.name != "" {
		return pass()
	}
	query := sent.URL.Query()
	query.Set("resourceVersion", *f.seen.Load())
	query.Set("resourceVersionMatch", "Exact")
	query.Del("limit")
	sent.URL.RawQuery = query.Encode()
	return pass()
}

func (f oldView) event(r *run, s *stream, e event) {
	if f.old(r, s.kind) {
		s.held = append(s.held, e)
		return
	}
	s.flush()
	s.emit(e)
}

func (f oldView) tick(r *run, s *stream) {
	if !f.old(r, s.kind) {
		s.flush()
	}
}

// failing has one in five requests fail, in the ways of an API server in trouble.
type failing struct{ nothing }

func (failing) write(r *run, _ *link, _ *write, pass send) (*http.Response, error) {
	if r.healed.Load() || !r.chance(5) {
		return pass()
	}
	switch r.roll(5) {
	case 0:
		return refusal(http.StatusConflict, "changed by the test"), nil
	case 1:
		return refusal(http.StatusTooManyRequests, "slowed down by the test"), nil
	case 2:
		return refusal(http.StatusInternalServerError, "failed by the test"), nil
	case 3:
		return nil, context.DeadlineExceeded // the API server never saw it
	default:
		if response, err := pass(); err == nil {
			_ = response.Body.Close()
		}
		return nil, context.DeadlineExceeded // it did, and the answer came too late
	}
}

func (failing) read(r *run, _ target, _ *http.Request, pass send) (*http.Response, error) {
	if r.healed.Load() || !r.chance(5) {
		return pass()
	}
	return refusal([]int{http.StatusTooManyRequests, http.StatusInternalServerError}[r.roll(2)], "failed by the test"), nil
}

// unwritable has every write of one kind fail in one way.
type unwritable struct {
	nothing

	kind   string
	status int
}

// unwritableWords are in what is answered, and must reach a condition.
const unwritableWords = "failed calling webhook \"by.the.test\""

func (f unwritable) write(r *run, _ *link, w *write, pass send) (*http.Response, error) {
	if w.kind != f.kind || r.healed.Load() {
		return pass()
	}
	return refusal(f.status, unwritableWords), nil
}

// To annotate a pod is a hint: what cannot be nudged or priced holds up nothing.
func (f unwritable) blocks() bool { return f.kind != "Pod" }

func (f unwritable) meanwhile(r *run) {
	if f.kind == "Pod" || !r.wrote(f.kind) {
		return // to annotate a pod is a hint; and what was never to be written failed nobody
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(asking) {
		why := f.untold(r)
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			r.brokef("%s", why)
			return
		}
	}
}

// untold is what no condition says of the writes that fail; empty if all is told.
func (f unwritable) untold(r *run) string {
	for _, service := range r.services() {
		told := false
		for _, c := range service.Status.Conditions {
			told = told || strings.Contains(c.Message, unwritableWords)
		}
		// What is not needed any more is not written any more.
		ready := meta.IsStatusConditionTrue(service.Status.Conditions, v1alpha1.ConditionReady)
		if !told && !ready {
			conditions, _ := json.Marshal(service.Status.Conditions)
			return "no condition of " + service.Name + " says why the " + f.kind + " cannot be written: " + string(conditions)
		}
	}
	return ""
}

// killed ends the operator again and again, at any moment.
type killed struct{ nothing }

func (killed) begin(ctx context.Context, r *run) {
	go r.every(ctx, 900*time.Millisecond, r.kill)
}

// disconnected cuts all watches in the middle of each step.
type disconnected struct{ nothing }

func (disconnected) step(r *run, _ int) {
	r.disconnect()
	time.AfterFunc(100*time.Millisecond, r.disconnect)
}

// clockSteps moves the operator's clock, an hour forth and back.
type clockSteps struct{ nothing }

func (clockSteps) step(r *run, n int) {
	r.clock.Store(int64([]time.Duration{0, time.Hour, -time.Hour}[n%3]))
}

// twoOperators runs a second one beside the first, as two releases do, or a leader that does not know that it no longer is.
type twoOperators struct{ nothing }

func (twoOperators) begin(_ context.Context, r *run) { r.start() }

func (twoOperators) slack(string) int { return 2 }
