// Package allowance is for what the calls of one request may use together, though several run at once: each reserves
// before it runs, and settles after.
package allowance

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrSpent means that nothing is left, nor may be left again by a call that runs.
var ErrSpent = errors.New("nothing is left")

// Allowance is an amount. It may be used from many goroutines at once.
type Allowance struct {
	mu       sync.Mutex
	left     int64 // neither used nor reserved; below 0 where calls used more than they had reserved
	reserved int64
	settled  chan struct{} // closed with the next settlement; nil while no caller waits for one
}

// New returns an allowance of that amount.
func New(amount int64) *Allowance { return &Allowance{left: amount} }

// Grant makes the amount of an allowance that is not in use yet.
func (a *Allowance) Grant(amount int64) { a.left = amount }

// Reserve takes what is wanted, or what is left of it: at least 1. While all that is left is reserved by others, it
// waits for one of them to settle. It returns ErrSpent if there is nothing to wait for, or ctx's error. The
// caller must call Settle with what it returns.
func (a *Allowance) Reserve(ctx context.Context, want int64) (int64, error) {
	for {
		reserved, settled, err := a.reserve(want)
		if settled == nil {
			return reserved, err
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for a reservation: %w", context.Cause(ctx))
		}
	}
}

// reserve returns a channel if the caller has to wait.
func (a *Allowance) reserve(want int64) (int64, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.left > 0:
		reserved := min(max(want, 1), a.left)
		a.left -= reserved
		a.reserved += reserved
		return reserved, nil, nil
	case a.left+a.reserved <= 0:
		return 0, nil, ErrSpent
	}
	if a.settled == nil {
		a.settled = make(chan struct{})
	}
	return 0, a.settled, nil
}

// Settle puts what a call has used in place of what it had reserved. It is false if that was more, and more than
// there was.
func (a *Allowance) Settle(reserved, used int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved -= reserved
	a.left += reserved - used
	if a.settled != nil {
		close(a.settled)
		a.settled = nil
	}
	return used <= reserved || a.left >= 0
}

// Take uses an amount at once, all or nothing. It is false if less is left.
func (a *Allowance) Take(amount int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if amount > a.left {
		return false
	}
	a.left -= amount
	return true
}

// Unused is what no call has used yet, be it reserved or not; at least 0.
func (a *Allowance) Unused() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(a.left+a.reserved, 0)
}
