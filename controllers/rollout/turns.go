package rollout

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// LookWithin is how long others wait for a service that cannot be looked at, from the first time that it could not. Nothing is
// known of it then: neither whether it goes first, nor how its turn ends. It is twice as long as a roll-out may be without
// progress.
const LookWithin = 10 * time.Minute

// Service names a service.
type Service = types.NamespacedName

// State is what a reconcile saw of a service.
type State struct {
	// Deployment is the Deployment's UID, and Generation its generation. A state of an older one than is known is out of date.
	Deployment types.UID
	Generation int64
	// Wants says that the operator, and not the service's spec, asks for another template than the Deployment has.
	Wants bool
	// Turn is what is recorded, unless the pods are replaced.
	Turn Turn
	// Stuck says that the Deployment has made no progress for longer than its deadline.
	Stuck bool
	// Whole says that there are replicas, that all of them are available, and that none is being replaced.
	Whole bool
	// Empty says that no replicas are wanted.
	Empty bool
}

// Standing is where a service stands among those whose pods the operator wants to replace.
type Standing string

const (
	// Free means that nothing is held.
	Free Standing = ""
	// Called means that it may go, and its reconcile has been asked for.
	Called Standing = "Called"
	// Unheard means that nobody may go yet, because not every service has been looked at since this process began.
	Unheard Standing = "Unheard"
	// Waiting means that others go first.
	Waiting Standing = "Waiting"
	// Halted means that nobody may go, because a service that went cannot replace its pods.
	Halted Standing = "Halted"
)

// Held says that the service keeps its template for now.
func (s Standing) Held() bool { return s == Unheard || s == Waiting || s == Halted }

// Answer is the answer to a service that asks whether it may replace its pods.
type Answer struct {
	Standing Standing
	// Turn is to be recorded together with the new template, if the service may go.
	Turn Turn
}

// Turns gives turns to at most so many services at a time. It is safe for concurrent use.
type Turns struct {
	limit int
	load  func(Service) (inFlight int64, known bool)
	// call asks for a service's reconcile.
	call func(Service)
	now  func() time.Time

	mu       sync.Mutex
	services map[Service]*place
	// opened is set once all services are known, unheard are those of them that were not looked at yet.
	opened  bool
	unheard map[Service]struct{}
	// failing are the services that could not be looked at the last time, and since when.
	failing map[Service]time.Time
	halted  bool
}

// place is what is known of one service.
type place struct {
	State

	called bool
	// going says that the reconcile that runs now may write because it was called.
	going bool
	// refused says that it was called and could not be written: others go first.
	refused bool
	// lost says that it could not be looked at for so long that nobody waits for it.
	lost bool
}

// NewTurns returns Turns that the services of a fleet share: limit is at least 1, load is asked for the requests in flight of those
// that wait, call is told whom to look at, and now is the clock. None of them may call back.
func NewTurns(limit int, load func(Service) (int64, bool), call func(Service), now func() time.Time) *Turns {
	return &Turns{
		limit: limit, load: load, call: call, now: now,
		services: map[Service]*place{}, unheard: map[Service]struct{}{}, failing: map[Service]time.Time{},
	}
}

// Opened says that Open was called.
func (t *Turns) Opened() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened
}

// Open takes in which services there are, and which of them have a turn: until then, and until each of them was heard of, nobody
// gets one. States that came before count.
func (t *Turns) Open(all []Service, recorded map[Service]State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opened {
		return
	}
	t.opened = true
	for _, service := range all {
		state, has := recorded[service]
		known := t.services[service]
		if known == nil {
			t.unheard[service] = struct{}{}
		}
		if has && (known == nil || known.isOlder(state)) {
			t.services[service] = &place{State: state}
		}
	}
	t.next(Service{})
}

// Begin takes in that a reconcile of a service begins; Heard follows.
func (t *Turns) Begin(service Service) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.services[service]; known != nil {
		known.going = known.called
	}
}

// place is the service's.
func (t *Turns) place(of Service) *place {
	if t.services[of] == nil {
		t.services[of] = &place{}
	}
	return t.services[of]
}

// isOlder says that another state is of a later generation of the same Deployment.
func (s State) isOlder(than State) bool {
	return s.Deployment == than.Deployment && s.Generation < than.Generation
}

// Ask takes in the state of a service, and returns whether it may have the template that is wanted.
func (t *Turns) Ask(service Service, state State) Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.place(service)
	if state.isOlder(known.State) {
		state.Generation, state.Turn, state.Stuck = known.Generation, known.Turn, known.Stuck
	}
	known.State, known.lost = state, false
	known.called = known.called && state.Wants && state.Turn == ""
	t.halt(service)
	// It may change its own template again: that is how it is repaired. A service that is stuck otherwise has nothing to lose.
	if !state.Wants || state.Turn != "" || state.Stuck {
		known.Wants = false
		if state.Wants && state.Stuck && state.Turn == TurnUnproven {
			state.Turn = "" // it counted no more; whether the next template helps it concerns no other
		}
		t.next(Service{})
		return Answer{Turn: state.Turn}
	}
	t.next(service)
	answer := Answer{Standing: t.standing(known)}
	if answer.Standing == Called {
		known.going = true
		answer.Turn = TurnUnproven
		if state.Whole {
			answer.Turn = TurnTaken
		}
	}
	return answer
}

// Wrote takes in that a service's Deployment has got the template that was wanted, with a turn or without one.
func (t *Turns) Wrote(service Service, deployment types.UID, generation int64, turn Turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*t.place(service) = place{State: State{Deployment: deployment, Generation: generation, Turn: turn}}
	t.halt(Service{})
	t.next(Service{})
}

// Heard takes in that a service was looked at. If it was called and did not go, others go first. Again says that it could not be
// looked at, and is about to be: the others wait for it, but not for ever.
func (t *Turns) Heard(service Service, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if again {
		t.fail(service)
		return
	}
	delete(t.failing, service)
	known := t.place(service)
	if known.going && known.called {
		known.called, known.refused = false, true
		t.next(Service{})
	}
	known.going = false
	t.hear(service)
}

// fail has the others go on once a service could not be looked at for LookWithin. Whatever turn it has counts for nothing until it
// is looked at again, unless the new template was seen to fail there.
func (t *Turns) fail(service Service) {
	if _, known := t.failing[service]; !known {
		t.failing[service] = t.now()
	}
	if !t.isLost(service) {
		return
	}
	if known := t.services[service]; known != nil {
		known.called, known.going, known.lost = false, false, true
	}
	t.hear(service)
	t.next(Service{})
}

func (t *Turns) isLost(service Service) bool {
	since, failing := t.failing[service]
	return failing && t.now().Sub(since) >= LookWithin
}

// Lost says that a service could not be looked at for LookWithin, so that nobody waits for it.
func (t *Turns) Lost(service Service) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isLost(service)
}

// Forget takes in that a service is gone.
func (t *Turns) Forget(service Service) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.services, service)
	delete(t.failing, service)
	t.hear(service)
	t.halt(Service{})
	t.next(Service{})
}

// Standing is where a service stands.
func (t *Turns) Standing(service Service) Standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.services[service]; known != nil && known.Wants {
		return t.standing(known)
	}
	return Free
}

// Counts is how many services there are of each kind.
type Counts struct {
	// Waiting are those that wait, UnderWay those whose pods are being replaced in their turn, and Failed those of the latter that
	// are stuck.
	Waiting, UnderWay, Failed int
	// Lost are those that could not be looked at for LookWithin.
	Lost int
}

// Counts counts the services.
func (t *Turns) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	var counts Counts
	for service := range t.failing {
		if t.isLost(service) {
			counts.Lost++
		}
	}
	for _, known := range t.services {
		switch {
		case known.lost:
		case known.Wants:
			counts.Waiting++
		case known.Turn != "":
			counts.UnderWay++
		}
		if known.fails() {
			counts.Failed++
		}
	}
	return counts
}

func (t *Turns) standing(of *place) Standing {
	switch {
	case of.called:
		return Called
	case t.halted:
		return Halted
	case !t.opened || len(t.unheard) > 0:
		return Unheard
	default:
		return Waiting
	}
}

// hear calls all that wait, once the last service was looked at: until then, their status said nothing.
func (t *Turns) hear(service Service) {
	before := len(t.unheard)
	delete(t.unheard, service)
	if before > 0 && len(t.unheard) == 0 {
		t.next(Service{})
		t.callWaiting(Service{})
	}
}

// halt takes in whether a turn has come to nothing. All that wait say so in their status.
func (t *Turns) halt(asking Service) {
	halted := false
	for _, known := range t.services {
		halted = halted || known.fails()
	}
	if halted == t.halted {
		return
	}
	t.halted = halted
	if halted {
		for _, known := range t.services {
			known.called = false
		}
	}
	t.callWaiting(asking)
}

func (t *Turns) callWaiting(but Service) {
	for service, known := range t.services {
		if known.Wants && service != but {
			t.call(service)
		}
	}
}

// fails says that the new template is to blame for pods that cannot be replaced.
func (p *place) fails() bool { return p.Turn == TurnTaken && p.Stuck }

// holds says that a service counts against the limit. An unproven one that is stuck was not whole before, and may never be; one
// that cannot be looked at may never change.
func (p *place) holds() bool {
	return !p.lost && (p.called || p.Turn == TurnTaken || p.Turn == TurnUnproven && !p.Stuck)
}

// next calls those that go next, and the one that asks only by what it is answered.
func (t *Turns) next(asking Service) {
	if !t.opened || t.halted || len(t.unheard) > 0 {
		return
	}
	free := t.limit
	var waiting []candidate
	for service, known := range t.services {
		switch {
		case known.holds():
			free--
		case known.Wants && !known.lost && (!known.refused || service == asking):
			waiting = append(waiting, candidate{service: service, place: known})
		}
	}
	if free <= 0 || len(waiting) == 0 {
		return
	}
	for i := range waiting {
		waiting[i].inFlight, waiting[i].known = t.load(waiting[i].service)
	}
	slices.SortFunc(waiting, candidate.compare)
	for _, c := range waiting[:min(free, len(waiting))] {
		c.place.called = true
		if c.service != asking {
			t.call(c.service)
		}
	}
}
