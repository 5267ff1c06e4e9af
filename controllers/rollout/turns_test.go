package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/test/seed"
)

// fleet is a number of services and the operator that reconciles them: it keeps what is written, and nothing else survives a restart.
type fleet struct {
	t     *testing.T
	limit int
	turns *Turns
	// queue are the services that are to be looked at.
	queue    []string
	services map[string]*deployment
	// went are those that were given the template, in that order.
	went []string
}

// deployment is what the API server holds of a service.
type deployment struct {
	State

	inFlight int64
	known    bool
	// failing says that the template that the operator wants does not start, and unwritable that the API server refuses it.
	failing, unwritable bool
	rolling             bool
}

func (f *fleet) restart() {
	f.queue = nil
	f.turns = NewTurns(f.limit, func(s Service) (int64, bool) {
		d := f.services[s.Name]
		return d.inFlight, d.known
	}, func(s Service) { f.enqueue(s.Name) }, time.Now)
	for _, name := range f.names() {
		f.enqueue(name)
	}
}

func (f *fleet) names() []string {
	var names []string
	for name := range f.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f *fleet) enqueue(name string) {
	if !slices.Contains(f.queue, name) {
		f.queue = append(f.queue, name)
	}
}

func named(name string) Service { return Service{Namespace: "default", Name: name} }

// work looks at all that is in the queue.
func (f *fleet) work() {
	for rounds := 0; len(f.queue) > 0; rounds++ {
		if rounds > 100*len(f.services)+100 {
			f.t.Fatal("the queue is never empty")
		}
		name := f.queue[0]
		f.queue = f.queue[1:]
		f.reconcile(name)
	}
}

func (f *fleet) reconcile(name string) {
	d, s := f.services[name], named(name)
	if d == nil {
		f.turns.Forget(s)
		return
	}
	f.turns.Begin(s)
	defer f.turns.Heard(s, false)
	if d.Wants && !f.turns.Opened() {
		f.open()
	}
	state := d.State
	if !d.rolling {
		state.Turn = ""
	}
	answer := f.turns.Ask(s, state)
	if answer.Standing.Held() || !d.Wants && d.Turn == answer.Turn || d.unwritable {
		return
	}
	if d.Wants {
		f.went = append(f.went, name)
		d.Generation++
		d.rolling, d.Wants, d.Stuck = true, false, false
	}
	d.Turn = answer.Turn
	f.turns.Wrote(s, d.Deployment, d.Generation, d.Turn)
	f.check()
}

func (f *fleet) open() {
	recorded, all := map[Service]State{}, []Service(nil)
	for name, d := range f.services {
		all = append(all, named(name))
		if d.Turn != "" {
			recorded[named(name)] = State{Generation: d.Generation, Turn: d.Turn}
		}
	}
	f.turns.Open(all, recorded)
}

// check fails if more services replace their pods in their turn than there may.
func (f *fleet) check() {
	f.t.Helper()
	var rolling []string
	for name, d := range f.services {
		if d.rolling && (d.Turn == TurnTaken || d.Turn == TurnUnproven && !d.Stuck) {
			rolling = append(rolling, name)
		}
	}
	if len(rolling) > f.limit {
		f.t.Fatalf("%v have a turn, and the limit is %d", rolling, f.limit)
	}
}

// progress has each service that is rolling end, or get stuck.
func (f *fleet) progress() {
	for _, name := range f.names() {
		d := f.services[name]
		if !d.rolling {
			continue
		}
		d.rolling, d.Stuck = d.failing, d.failing
		f.enqueue(name)
	}
	f.work()
}

// upgrade has the operator want another template of all.
func (f *fleet) upgrade() {
	for _, d := range f.services {
		d.Wants = true
	}
	f.went = nil
	f.restart()
	f.work()
}

func newFleet(t *testing.T, limit int, services map[string]*deployment) *fleet {
	t.Helper()
	return &fleet{t: t, limit: limit, services: services}
}

func whole(inFlight int64) *deployment {
	return &deployment{State: State{Whole: true}, inFlight: inFlight, known: true}
}

func (f *fleet) expect(names string) {
	f.t.Helper()
	if diff := cmp.Diff(strings.Fields(names), f.went, cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("those that went (-want +got):\n%s", diff)
	}
	f.went = nil
}

func TestTurnsAreInOrder(t *testing.T) {
	unknown, broken, empty := whole(0), whole(0), whole(0)
	unknown.known, broken.Whole, empty.Whole, empty.Empty, empty.known = false, false, false, true, false
	refused := whole(0)
	refused.unwritable = true
	f := newFleet(t, 2, map[string]*deployment{
		"busy": whole(9), "idle-b": whole(0), "idle-a": whole(0), "quiet": whole(1), "unknown": unknown, "broken": broken, "empty": empty,
		"a-refused": refused,
	})
	f.upgrade()
	f.expect("idle-a idle-b")
	f.progress()
	f.expect("quiet busy")
	f.progress()
	f.expect("unknown broken")
	f.progress()
	f.expect("empty")
	if d := f.services["empty"]; d.Turn != TurnUnproven {
		t.Errorf("a service without replicas has the turn %q", d.Turn)
	}
	refused.unwritable = false
	f.progress()
	f.expect("")
	f.enqueue("a-refused") // as its retry does
	f.work()
	f.expect("a-refused")
}

// The first that went and failed holds all others back, and its repair goes at once.
func TestAFailedRolloutHoldsOthers(t *testing.T) {
	f := newFleet(t, 2, map[string]*deployment{"a": whole(0), "b": whole(1), "c": whole(2), "d": whole(3)})
	f.services["b"].failing = true
	f.upgrade()
	f.expect("a b")
	f.progress()
	f.expect("")
	if got := f.turns.Standing(named("d")); got != Halted {
		t.Errorf("d is %q", got)
	}
	if got := f.turns.Counts(); got != (Counts{Waiting: 2, UnderWay: 1, Failed: 1}) {
		t.Errorf("the counts are %+v", got)
	}
	f.restart()
	f.work()
	f.expect("")
	f.services["b"].failing = false
	f.upgrade() // to an operator that repairs it: who is stuck goes first, and those that had the other template begin again
	if f.went[0] != "b" {
		t.Errorf("first went %v", f.went)
	}
	for range 4 {
		f.progress()
	}
	if got := f.turns.Counts(); got != (Counts{}) {
		t.Errorf("at last, the counts are %+v", got)
	}
}

// A service that was not whole before proves nothing: it holds back nobody when it gets stuck.
func TestABrokenServiceHoldsNobody(t *testing.T) {
	broken := whole(0)
	broken.Whole, broken.failing = false, true
	f := newFleet(t, 1, map[string]*deployment{"a": broken, "b": whole(5)})
	f.upgrade()
	f.expect("b")
	f.progress()
	f.expect("a")
	f.progress()
	f.services["b"].Wants = true
	f.enqueue("b")
	f.work()
	f.expect("b")
	f.services["a"].Wants = true
	f.enqueue("a")
	f.work()
	f.expect("a")
}

// A slot becomes free when the service that has it is deleted, is paused, or is no longer to be changed.
func TestSlotsBecomeFree(t *testing.T) {
	for name, leave := range map[string]func(f *fleet){
		"deleted": func(f *fleet) { delete(f.services, "a"); f.enqueue("a"); f.work() },
		"paused":  func(f *fleet) { f.turns.Ask(named("a"), State{Generation: f.services["a"].Generation}) },
		"done":    func(f *fleet) { f.services["a"].rolling = false; f.enqueue("a") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 1, map[string]*deployment{"a": whole(0), "b": whole(5)})
			f.upgrade()
			f.expect("a")
			f.services["a"].rolling = false // for the check alone
			leave(f)
			f.work()
			f.expect("b")
		})
	}
}

// Views that are out of date give nobody a second turn, and take none away.
func TestOldViewsOfTurns(t *testing.T) {
	f := newFleet(t, 1, map[string]*deployment{"a": whole(0), "b": whole(5)})
	f.upgrade()
	f.expect("a")
	if got := f.turns.Ask(named("a"), State{Wants: true, Whole: true}); got != (Answer{Turn: TurnTaken}) {
		t.Errorf("an old view of the one that has its turn is answered %+v", got)
	}
	if got := f.turns.Ask(named("b"), State{Wants: true, Whole: true}); got.Standing != Waiting {
		t.Errorf("b is answered %+v", got)
	}
	f.turns.Ask(named("a"), State{Deployment: "another"}) // it was deleted and made again
	if got := f.turns.Standing(named("b")); got != Called {
		t.Errorf("b is %q", got)
	}
}

// A service that could not be looked at yet may be the one that holds up all others: nobody goes before.
func TestNobodyGoesBeforeAllWereLookedAt(t *testing.T) {
	var called []string
	turns := NewTurns(2, func(Service) (int64, bool) { return 0, true }, func(s Service) { called = append(called, s.Name) }, time.Now)
	a, b, c := named("a"), named("b"), named("c")
	turns.Heard(b, true)
	turns.Open([]Service{a, b, c}, map[Service]State{b: {Generation: 2, Turn: TurnTaken}})
	turns.Heard(b, true)
	for _, service := range []Service{a, c} {
		turns.Begin(service)
		if got := turns.Ask(service, State{Wants: true, Whole: true}); got.Standing != Unheard {
			t.Errorf("%s is answered %+v", service.Name, got)
		}
		turns.Heard(service, false)
	}
	if len(called) > 0 {
		t.Errorf("called are %v", called)
	}
	turns.Begin(b)
	turns.Ask(b, State{Generation: 2, Turn: TurnTaken, Stuck: true})
	turns.Heard(b, false)
	if got := turns.Standing(a); got != Halted {
		t.Errorf("a is %q", got)
	}
}

// Whatever happens in whatever order, the limit holds, and at last every service has its template.
func TestTurnsOfAnyFleet(t *testing.T) {
	random := rand.New(rand.NewPCG(seed.Of(t), 0))
	for range 300 {
		f := newFleet(t, 1+random.IntN(3), map[string]*deployment{})
		for i := range 1 + random.IntN(12) {
			d := whole(int64(random.IntN(3)))
			d.known, d.Whole, d.failing = random.IntN(4) > 0, random.IntN(4) > 0, random.IntN(6) == 0
			f.services[fmt.Sprintf("s%02d", i)] = d
		}
		f.upgrade()
		for range 30 {
			names := f.names()
			name := names[random.IntN(len(names))]
			d := f.services[name]
			switch random.IntN(6) {
			case 0:
				f.restart()
			case 1:
				if len(names) > 1 {
					delete(f.services, name)
					f.enqueue(name)
				}
			case 2:
				d.unwritable = !d.unwritable
			case 3:
				if d.rolling {
					d.rolling, d.Stuck = d.failing, d.failing
				}
				f.enqueue(name)
			default:
				f.enqueue(name)
			}
			f.work()
		}
		for _, d := range f.services {
			d.failing, d.unwritable = false, false
			d.rolling = d.rolling && !d.Stuck
			d.Stuck = false
		}
		for range 20 {
			for _, name := range f.names() {
				f.enqueue(name) // as retries do
			}
			f.progress()
		}
		for name, d := range f.services {
			if d.Wants || d.Turn != "" {
				t.Fatalf("at last, %s is %+v of %d, limit %d", name, d, len(f.services), f.limit)
			}
		}
	}
}

// A service that is stuck without a turn, as one that was created with an image that does not start, takes its repair at once, also while
// nobody else may go. It does not count.
func TestAStuckServiceTakesItsRepair(t *testing.T) {
	turns := NewTurns(1, func(Service) (int64, bool) { return 0, true }, func(Service) {}, time.Now)
	a, b := named("a"), named("b")
	turns.Open([]Service{a, b}, nil)
	if got := turns.Ask(b, State{Wants: true, Stuck: true}); got != (Answer{}) {
		t.Errorf("a stuck one is answered %+v", got)
	}
	turns.Wrote(b, "", 1, "")
	turns.Heard(a, false)
	turns.Heard(b, false)
	if got := turns.Ask(a, State{Wants: true, Whole: true}); got.Turn != TurnTaken {
		t.Errorf("the other one is answered %+v", got)
	}
}
