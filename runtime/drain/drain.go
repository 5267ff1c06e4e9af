// Package drain holds the one bit that all parts of a replica must agree on: whether it is going away.
package drain

import (
	"errors"
	"sync/atomic"
)

// ErrDraining says that a replica is going away.
var ErrDraining = errors.New("draining")

// State is a replica's. The zero value serves.
type State struct{ draining atomic.Bool }

// Begin marks the replica as going away, for good.
func (s *State) Begin() { s.draining.Store(true) }

// Draining says whether the replica is going away.
func (s *State) Draining() bool { return s.draining.Load() }
