package admission

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// Flat is the memory that each request in flight counts as, in bytes, whatever it does: goroutines, buffers and connections of
	// the client and of an upstream, and its first Small bytes of bodies and answers.
	Flat = 96 << 10
	// Small is how much a request may hold without asking, in bytes.
	Small = 16 << 10
	// maxWait bounds how long a request waits for room.
	maxWait = 2 * time.Second
	// maxWaiting bounds how many reservations wait at once; one more is refused.
	maxWaiting = 256
	// passing is how long those that need less may pass one that waits. Then it is next.
	passing = 250 * time.Millisecond
)

// What Hold.Reserve's failures wrap.
var (
	ErrBusy     = errors.New("the replica's memory is in use")
	errNever    = errors.New("needs more memory than the replica has")
	errReleased = errors.New("the request has ended")
)

// Bytes is the part of a replica's memory that requests reserve before they read or build anything large. It may be used
// from many goroutines at once.
type Bytes struct {
	refused atomic.Int64

	mu       sync.Mutex
	total    int
	reserved int
	ages     uint64    // the last that was given to a Hold
	waiting  []*waiter // in the order of their requests' age
	first    *waiter   // the oldest of a stalemate, which no other passes until it has what it waits for
}

// SetTotal sets how many bytes may be reserved. Those that are stay.
func (b *Bytes) SetTotal(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total = bytes
	b.settle()
}

// Total is how many bytes may be reserved.
func (b *Bytes) Total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// Reserved is how many bytes are reserved now.
func (b *Bytes) Reserved() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.reserved)
}

// Refused is how many reservations were refused.
func (b *Bytes) Refused() int64 { return b.refused.Load() }

// Longest is the longest text that a request may be let read, in bytes.
func (b *Bytes) Longest() int { return (b.newcomers() + Small) / relay.Copies }

func (b *Bytes) newcomers() int { return newcomers(b.Total()) }

// newcomers is what requests that hold nothing yet may reserve of a total. The rest is for those that hold something and
// need more: they give it all back once they have it.
func newcomers(total int) int { return total / 4 * 3 }

// Hold is a request that is in flight, and what it has reserved. It implements relay.Memory. It is not copied.
type Hold struct {
	admission *Admission
	bytes     *Bytes

	small atomic.Int64 // bytes of Small that are used up; what is returned frees none of it
	large atomic.Bool  // something was reserved beyond Small
	more  atomic.Int64 // parts of the request that are at work, beyond the first

	// Guarded by the mutex of bytes.
	age      uint64 // the order in which requests first asked for more than Small; 0 before
	held     int
	released bool
}

var _ relay.Memory = (*Hold)(nil)

// Reserve implements relay.Memory. What fits into the request's own small part takes no lock.
func (h *Hold) Reserve(ctx context.Context, bytes int) error {
	if bytes <= 0 || h.fitsSmall(int64(bytes)) {
		return nil
	}
	h.large.Store(true)
	return h.bytes.reserve(ctx, h, bytes)
}

func (h *Hold) fitsSmall(bytes int64) bool {
	for {
		used := h.small.Load()
		if used+bytes > Small {
			return false
		}
		if h.small.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

// Return implements relay.Memory.
func (h *Hold) Return(bytes int) {
	if bytes <= 0 || !h.large.Load() {
		return
	}
	h.bytes.mu.Lock()
	defer h.bytes.mu.Unlock()
	h.bytes.free(h, min(bytes, h.held))
}

// Branch implements relay.Memory.
func (h *Hold) Branch(parts int) {
	h.more.Add(int64(parts))
	if parts >= 0 || !h.large.Load() {
		return
	}
	h.bytes.mu.Lock()
	defer h.bytes.mu.Unlock()
	h.bytes.settle() // those that are left may all be waiting
}

// Release ends the request and gives everything back. It is called once; nothing can be reserved after it.
func (h *Hold) Release() {
	h.admission.inFlight.Add(-1)
	h.small.Store(Small) // so that what comes late asks, and is refused
	if !h.large.Load() {
		return
	}
	h.bytes.mu.Lock()
	defer h.bytes.mu.Unlock()
	h.released = true
	h.bytes.dismiss(h)
	h.bytes.free(h, h.held)
}

// free takes bytes out of a hold; the mutex is held.
func (b *Bytes) free(h *Hold, bytes int) {
	h.held -= bytes
	b.reserved -= bytes
	b.settle()
}

// room is how much of the total may be reserved in all once the hold has got more.
func (b *Bytes) room(h *Hold) int {
	if h.held > 0 {
		return b.total
	}
	return newcomers(b.total)
}

func (b *Bytes) grant(h *Hold, bytes int) bool {
	if b.reserved+bytes > b.room(h) || h.released {
		return false
	}
	b.reserved += bytes
	h.held += bytes
	return true
}
