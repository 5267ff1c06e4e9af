package admission

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// with is an admission whose requests may reserve so many bytes.
func with(bytes int) *Admission {
	a := New(2, 1<<30)
	a.SetLimit(1000)
	a.Bytes.SetTotal(bytes)
	return a
}

func enter(t *testing.T, a *Admission) *Hold {
	t.Helper()
	h := &Hold{}
	if !a.Enter(h) {
		t.Fatal("not admitted")
	}
	h.small.Store(Small) // these tests are of what is reserved beyond it
	return h
}

func waiting(a *Admission) int {
	a.Bytes.mu.Lock()
	defer a.Bytes.mu.Unlock()
	return len(a.Bytes.waiting)
}

func kind(err error) relay.FailureKind {
	f, _ := errors.AsType[relay.Failure](err)
	return f.Kind
}

// Many requests of all sizes never hold more than there is, wait no longer than they may, and leave nothing behind.
func TestBytesAreNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := with(4 << 20)
		var wg sync.WaitGroup
		refused := map[relay.FailureKind]int{}
		var mu sync.Mutex
		for i := range 300 {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			wg.Go(func() {
				time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
				h := enter(t, a)
				defer h.Release()
				for range 1 + random.IntN(4) {
					size := 1 + random.IntN(1<<(10+random.IntN(11)))
					began := time.Now()
					err := h.Reserve(t.Context(), size)
					if waited := time.Since(began); waited > maxWait {
						t.Errorf("waited %s", waited)
					}
					if reserved := a.Bytes.Reserved(); reserved > 4<<20 {
						t.Errorf("%d bytes are reserved", reserved)
					}
					if err != nil {
						mu.Lock()
						refused[kind(err)]++
						mu.Unlock()
						return
					}
					time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
					if random.IntN(3) == 0 {
						h.Return(size)
					}
				}
			})
		}
		wg.Wait()
		if refused[relay.FailedMemory] == 0 || a.Bytes.Refused() == 0 {
			t.Error("nobody was refused: the test is too easy")
		}
		if reserved, waiting := a.Bytes.Reserved(), waiting(a); reserved != 0 || waiting != 0 || a.InFlight() != 0 {
			t.Errorf("at the end %d bytes are reserved, %d wait, %d are in flight", reserved, waiting, a.InFlight())
		}
	})
}

func TestBytesWaitIsBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout time.Duration // of the request
		cause   relay.FailureKind
		free    time.Duration // when the other gives back; 0 is never
		want    relay.FailureKind
		after   time.Duration
	}{
		"nobody gives back":       {time.Minute, "", 0, relay.FailedMemory, maxWait},
		"somebody gives back":     {time.Minute, "", time.Second, relay.NoFailure, time.Second},
		"the request's own end":   {time.Second, "", 0, relay.FailedClient, time.Second},
		"nobody wants it":         {time.Second, relay.FailedSuperseded, 0, relay.FailedSuperseded, time.Second},
		"back after it has ended": {time.Minute, "", 3 * time.Second, relay.FailedMemory, maxWait},
		// No upstream was slow, and no route: there was no memory.
		"the end of an attempt":         {time.Second, relay.FailedTotal, 0, relay.FailedMemory, time.Second},
		"before a stream's first token": {time.Second, relay.FailedFirstToken, 0, relay.FailedMemory, time.Second},
		"in a stream":                   {time.Second, relay.FailedIdle, 0, relay.FailedMemory, time.Second},
		"the end of a route":            {time.Second, relay.FailedTimeout, 0, relay.FailedMemory, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := with(1 << 20)
				first, second := enter(t, a), enter(t, a)
				if err := first.Reserve(t.Context(), 700<<10); err != nil {
					t.Fatal(err)
				}
				if tt.free > 0 {
					time.AfterFunc(tt.free, first.Release)
				}
				var cause error
				if tt.cause != "" {
					cause = relay.Failure{Kind: tt.cause}
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), tt.timeout, cause)
				defer cancel()
				began := time.Now()
				err := second.Reserve(ctx, 500<<10)
				if kind(err) != tt.want || time.Since(began) != tt.after {
					t.Errorf("%v after %s, want %q after %s", err, time.Since(began), tt.want, tt.after)
				}
				second.Release()
				time.Sleep(time.Minute)
				if waiting(a) != 0 {
					t.Error("somebody waits still")
				}
			})
		})
	}
}

// What fits at no time is told at once.
func TestBytesThatNeverFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := with(1 << 20)
		h := enter(t, a)
		began := time.Now()
		if err := h.Reserve(t.Context(), 768<<10+1); kind(err) != relay.FailedTooLarge {
			t.Errorf("more than a request may begin with: %v", err)
		}
		if err := h.Reserve(t.Context(), 768<<10); err != nil {
			t.Errorf("all that a request may begin with: %v", err)
		}
		if err := h.Reserve(t.Context(), 1<<20+1); kind(err) != relay.FailedTooLarge {
			t.Errorf("more than there is: %v", err)
		}
		if time.Since(began) != 0 {
			t.Error("it waited")
		}
		if err := h.Reserve(t.Context(), 256<<10+1); kind(err) != relay.FailedBudget || time.Since(began) != 0 {
			t.Errorf("more than there is beside what it holds: %v after %s", err, time.Since(began))
		}
		// Another of its branches may give some back.
		h.Branch(1)
		if err := h.Reserve(t.Context(), 256<<10+1); kind(err) != relay.FailedBudget || time.Since(began) != maxWait {
			t.Errorf("the same beside another branch: %v after %s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { h.Return(1) })
		if err := h.Reserve(t.Context(), 256<<10+1); err != nil {
			t.Error(err)
		}
	})
}

// A request's first bytes cost nothing, and are given back with its end alone.
func TestSmallThingsAreNotReserved(t *testing.T) {
	a := with(1 << 20)
	h := &Hold{}
	a.Enter(h)
	for range 4 {
		if err := h.Reserve(t.Context(), Small/4); err != nil {
			t.Fatal(err)
		}
	}
	h.Return(Small)
	if reserved := a.Bytes.Reserved(); reserved != 0 {
		t.Errorf("%d bytes are reserved", reserved)
	}
	if err := h.Reserve(t.Context(), 1); err != nil || a.Bytes.Reserved() != 1 {
		t.Errorf("%v; %d bytes are reserved", err, a.Bytes.Reserved())
	}
	h.Release()
	if allocs := testing.AllocsPerRun(100, func() {
		h := &Hold{}
		a.Enter(h)
		_ = h.Reserve(context.Background(), Small)
		h.Release()
	}); allocs > 1 { // the hold
		t.Errorf("%v allocations", allocs)
	}
}

func TestAHoldEndsOnce(t *testing.T) {
	a := with(1 << 20)
	h := enter(t, a)
	if err := h.Reserve(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	h.Return(1 << 20)
	if got := a.Bytes.Reserved(); got != 0 {
		t.Errorf("%d bytes are reserved after more was given back than was had", got)
	}
	h.Release()
	if err := h.Reserve(t.Context(), 1); !errors.Is(err, errReleased) || a.Bytes.Reserved() != 0 {
		t.Errorf("a request that has ended reserves: %v, %d bytes", err, a.Bytes.Reserved())
	}
}

// One that needs little passes one that needs much, for a while; then the other is next.
func TestNobodyIsPassedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := with(1 << 20)
		first := enter(t, a)
		if err := first.Reserve(t.Context(), 500<<10); err != nil {
			t.Fatal(err)
		}
		huge := make(chan error, 1)
		go func() { huge <- enter(t, a).Reserve(t.Context(), 700<<10) }()
		synctest.Wait()
		early := enter(t, a)
		if err := early.Reserve(t.Context(), 100<<10); err != nil {
			t.Errorf("a small one waits: %v", err)
		}
		time.Sleep(passing)
		late := make(chan error, 1)
		go func() { late <- enter(t, a).Reserve(t.Context(), 100<<10) }()
		synctest.Wait()
		select {
		case err := <-late:
			t.Errorf("a small one passes for ever: %v", err)
		default:
		}
		early.Release()
		first.Release()
		if err := <-huge; err != nil {
			t.Errorf("the huge one: %v", err)
		}
		if err := <-late; kind(err) != relay.FailedMemory {
			t.Errorf("beside the huge one there is no room: %v", err)
		}
	})
}

// Who holds something comes first: nobody waits for those who wait.
func TestThoseThatHoldComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := with(1 << 20)
		var holders [3]*Hold
		for i := range holders {
			holders[i] = enter(t, a)
			if err := holders[i].Reserve(t.Context(), 250<<10); err != nil {
				t.Fatal(err)
			}
		}
		newcomer := make(chan error, 1)
		go func() { newcomer <- enter(t, a).Reserve(t.Context(), 250<<10) }()
		time.Sleep(passing)
		for _, h := range holders { // each in turn gets a second part, of what newcomers cannot have
			if err := h.Reserve(t.Context(), 250<<10); err != nil {
				t.Fatal(err)
			}
			h.Release()
		}
		if err := <-newcomer; err != nil {
			t.Errorf("the newcomer: %v", err)
		}
	})
}

func TestNoMoreWaitThanMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := with(1 << 20)
		if err := enter(t, a).Reserve(t.Context(), 700<<10); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() {
				h := enter(t, a)
				defer h.Release()
				_ = h.Reserve(t.Context(), 200<<10)
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := enter(t, a).Reserve(t.Context(), 200<<10); kind(err) != relay.FailedMemory || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		wg.Wait()
	})
}
