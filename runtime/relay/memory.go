package relay

import (
	"context"
	"errors"
)

// Memory is what one request may hold of its replica's memory. It may be used from many goroutines at once.
type Memory interface {
	// Reserve admits n bytes before they are read or built. It waits for room, not for long, not beyond ctx, and not
	// for requests that wait themselves. The error is a Failure: FailedMemory if there was no room in time, FailedTooLarge
	// where there never can be, and FailedBudget where the request itself holds too much for that.
	Reserve(ctx context.Context, bytes int) error
	// Return gives back n of the bytes that were reserved. What is left is given back when the request ends.
	Return(bytes int)
	// Branch reports that n more parts of the request are at work at once than before, or fewer if n is below 0. A new
	// request is one part. One that waits for another of its request's is not at work.
	Branch(parts int)
}

// Unlimited is memory without a bound.
var Unlimited Memory = unlimited{}

type unlimited struct{}

func (unlimited) Reserve(context.Context, int) error { return nil }
func (unlimited) Return(int)                         {}
func (unlimited) Branch(int)                         {}

// Meter reserves memory for what grows little by little, in steps, so that the memory is seldom asked. It must not be
// used by several goroutines at once.
type Meter struct {
	Memory Memory
	used   int
	held   int
}

// meterStep is the least that a Meter reserves, in bytes.
const meterStep = 4 << 10

// Grow adds n bytes. The error is Memory's.
func (m *Meter) Grow(ctx context.Context, bytes int) error { return m.Fit(ctx, m.used+bytes) }

// Fit makes it n bytes in all. The error is Memory's.
func (m *Meter) Fit(ctx context.Context, bytes int) error {
	m.used = bytes
	if bytes <= m.held {
		return nil
	}
	step := max(bytes-m.held, m.held/4, meterStep)
	err := m.Memory.Reserve(ctx, step)
	if f, ok := errors.AsType[Failure](err); ok && f.Kind == FailedTooLarge {
		step = bytes - m.held
		err = m.Memory.Reserve(ctx, step)
	}
	if err != nil {
		return err //nolint:wrapcheck // it is a Failure already
	}
	m.held += step
	return nil
}

// Empty gives everything back.
func (m *Meter) Empty() {
	if m.held > 0 {
		m.Memory.Return(m.held)
	}
	m.used, m.held = 0, 0
}
