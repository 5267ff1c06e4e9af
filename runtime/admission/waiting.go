package admission

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// waiter is a reservation for which there is no room yet.
type waiter struct {
	hold  *Hold
	bytes int
	since time.Time
	ended chan struct{} // closed with the grant, or with err
	err   error         // set before ended is closed
}

func (b *Bytes) reserve(ctx context.Context, h *Hold, bytes int) error {
	w, err := b.ask(h, bytes)
	if w != nil {
		err = b.await(ctx, w)
	}
	if refused(err) {
		b.refused.Add(1)
	}
	return err
}

// refused distinguishes a lack of memory from the other ends of a wait.
func refused(err error) bool {
	f, _ := errors.AsType[relay.Failure](err)
	return f.Kind == relay.FailedMemory || f.Kind == relay.FailedBudget || f.Kind == relay.FailedTooLarge
}

func (b *Bytes) await(ctx context.Context, w *waiter) error {
	enough := time.NewTimer(maxWait)
	defer enough.Stop()
	select {
	case <-w.ended:
		return w.err
	case <-enough.C:
	case <-ctx.Done():
	}
	return b.withdraw(ctx, w)
}

// ask reserves at once what it can; otherwise it returns the waiter, or the reason why there is none.
func (b *Bytes) ask(h *Hold, bytes int) (*waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case h.released:
		return nil, released()
	case bytes > b.room(h):
		return nil, relay.Failure{Kind: relay.FailedTooLarge, Err: errNever}
	}
	if h.age == 0 {
		b.ages++
		h.age = b.ages
	}
	switch {
	case len(b.waiting) == 0 && b.grant(h, bytes):
		return nil, nil //nolint:nilnil // there is nothing to wait for
	case len(b.waiting) >= maxWaiting:
		return nil, busy()
	}
	w := &waiter{hold: h, bytes: bytes, since: time.Now(), ended: make(chan struct{})}
	b.queue(w)
	b.settle()
	if w.hasEnded() {
		return nil, w.err
	}
	return w, nil
}

// queue puts a waiter behind those of its own request, and of older ones.
func (b *Bytes) queue(w *waiter) {
	at, _ := slices.BinarySearchFunc(b.waiting, w.hold.age, func(other *waiter, age uint64) int {
		return cmp.Or(cmp.Compare(other.hold.age, age), -1)
	})
	b.waiting = slices.Insert(b.waiting, at, w)
}

// settle grants the waits that fit, and refuses those that never can.
func (b *Bytes) settle() {
	for {
		b.serve()
		w := b.victim()
		if w == nil {
			return
		}
		b.end(w, b.inVain(w))
	}
}

// serve grants what fits: first to those that hold something, since they give it back when they are done, then to the
// others; the oldest first, but for those that may pass.
func (b *Bytes) serve() {
	if b.first != nil {
		if !b.grant(b.first.hold, b.first.bytes) {
			return
		}
		b.end(b.first, nil)
	}
	now := time.Now()
	for _, holds := range []bool{true, false} {
		for _, w := range slices.Clone(b.waiting) {
			if (w.hold.held > 0) != holds || w.hasEnded() {
				continue
			}
			if b.grant(w.hold, w.bytes) {
				b.end(w, nil)
			} else if now.Sub(w.since) >= passing {
				return
			}
		}
	}
}

// end ends a wait: with what was waited for, or with an error.
func (b *Bytes) end(w *waiter, err error) {
	b.remove(w)
	w.err = err
	close(w.ended)
}

// dismiss ends the waits of a request that has ended.
func (b *Bytes) dismiss(h *Hold) {
	for _, w := range slices.Clone(b.waiting) {
		if w.hold == h {
			b.end(w, released())
		}
	}
}

func (b *Bytes) remove(w *waiter) {
	b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter) bool { return other == w })
	if b.first == w {
		b.first = nil
	}
}

// withdraw ends a wait that has lasted long enough, or that ctx has ended. It may have been granted after all.
func (b *Bytes) withdraw(ctx context.Context, w *waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.hasEnded() {
		return w.err
	}
	b.remove(w)
	defer b.settle() // for those that it was in the way of
	if err := ctx.Err(); err != nil {
		return b.cutShort(ctx, w, err)
	}
	return b.inVain(w)
}

// cutShort is why a wait ended with its context. What ran out of time here ran out of memory: no upstream was slow.
func (b *Bytes) cutShort(ctx context.Context, w *waiter, err error) error {
	failure := relay.FailureOf(ctx, err, relay.FailedMemory)
	switch failure.Kind { //nolint:exhaustive // the others say why nobody wants it any more
	case relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal, relay.FailedTimeout:
		return b.inVain(w)
	}
	return failure
}

// inVain is why somebody waited for nothing: for others, or for what the request itself holds.
func (b *Bytes) inVain(w *waiter) error {
	if w.hold.held+w.bytes > b.total {
		return relay.Failure{Kind: relay.FailedBudget, Err: errNever}
	}
	return busy()
}

func released() error { return relay.Failure{Kind: relay.FailedMemory, Err: errReleased} }

func busy() error { return relay.Failure{Kind: relay.FailedMemory, Err: ErrBusy} }

func (w *waiter) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}
