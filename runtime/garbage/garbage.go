// Package garbage decides how much garbage a process may have before Go's runtime collects it.
//
// By default the heap may double between two collections. A gateway keeps so little alive that it would collect after each few
// hundred requests, at a quarter of all its processor time. So its heap may grow by some megabytes in any case, and double once it
// is large.
package garbage

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// most and least bound what the heap may grow by in any case, in bytes.
	most, least = 16 << 20, 4 << 20
	// share of the limit of memory is garbage in any case, if that is within both: requests are admitted to another part of it.
	share = 8
	// beginning is how long a process takes to begin. What that took and is garbage then is given back to the system.
	beginning = 2 * time.Second
	// usual and largest bound the growth in percent of what is alive, as GOGC counts it.
	usual, largest = 100, 400
)

// Pace sets the pace from now on, and after each collection, for a process that may use so much memory, in bytes. Stop ends that.
// The environment's GOGC takes precedence.
func Pace(limit int64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := &pace{growth: min(max(limit/share, least), most)}
	p.collected()
	begun := time.AfterFunc(beginning, debug.FreeOSMemory)
	return func() {
		begun.Stop()
		p.stopped.Store(true)
		debug.SetGCPercent(usual)
	}
}

type pace struct {
	growth  int64 // in bytes
	percent int   // as it was set; collected has it to itself, since each call arranges the next one
	stopped atomic.Bool
}

// collected is called after each collection. Setting the pace stops all goroutines for some microseconds, so that small
// changes are left alone.
func (p *pace) collected() {
	if p.stopped.Load() {
		return
	}
	want := percent(p.growth, alive())
	if change := want - p.percent; change > p.percent/8 || -change > p.percent/8 {
		p.percent = want
		debug.SetGCPercent(want)
	}
	runtime.AddCleanup(&sentinel{p}, (*pace).collected, p) // nothing else refers to it: the next collection finds it
}

type sentinel struct{ *pace }

// percent is the pace that lets a heap grow by so many bytes from those that are alive.
func percent(growth, alive int64) int {
	return int(min(max(growth*100/max(alive, 1), usual), largest))
}

// alive is what the last collection has found, and what it has searched, in bytes: the base of GOGC.
func alive() (sum int64) {
	parts := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(parts)
	for _, part := range parts {
		if part.Value.Kind() == metrics.KindUint64 {
			sum += int64(part.Value.Uint64()) //nolint:gosec // less than a machine has
		}
	}
	return sum
}
