// Package drain holds the one bit that all parts of a replica must agree on: whether it is going away.
package drain

import (
	"errors"
	"sync/atomic"
)

// ErrDraining says that a replica is going away.
var ErrDraining = errors.New("draining")

// Flag is a replica's. The zero value serves.
type Flag struct{ draining atomic.Bool }

// Begin marks the replica as going away, for good.
func (f *Flag) Begin() { f.draining.Store(true) }

// Draining reports whether the replica is going away.
func (f *Flag) Draining() bool { return f.draining.Load() }
