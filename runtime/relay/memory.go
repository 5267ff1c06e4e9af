package relay

import (
	"context"
	"errors"
	"io"
)

// Memory is what one request may hold of its replica's memory. It may be used from many goroutines at once.
type Memory interface {
	// Reserve admits so many bytes before they are read or built. It waits for room, not for long, not beyond ctx, and not
	// for requests that wait themselves. The error is a Failure: FailedMemory where there was no room in time, FailedTooLarge
	// where there never can be, and FailedBudget where the request itself holds too much for that.
	Reserve(ctx context.Context, bytes int) error
	// Return gives back so many of the bytes that were reserved. What is left is given back when the request ends.
	Return(bytes int)
	// Branch says that so many more parts of the request are at work at once than before, fewer where it is below 0. A new
	// request is one part. One that waits for another of its request's is not at work.
	Branch(parts int)
}

// Unlimited is memory without a bound.
var Unlimited Memory = unlimited{}

type unlimited struct{}

func (unlimited) Reserve(context.Context, int) error { return nil }
func (unlimited) Return(int)                         {}
func (unlimited) Branch(int)                         {}

// Copies is how often a text is held at once while it is read: the buffer beside the smaller one that it has outgrown,
// and later the text beside what was made of it.
const Copies = 2

// firstRead is the buffer for a text's first bytes. Whoever announces a long one and sends nothing holds no more.
const firstRead = 4 << 10

// ErrTooLong is a text that has more bytes than were allowed.
var ErrTooLong = errors.New("has more bytes than are allowed")

// ReadAll reads a text of at most limit bytes to its end. Announced is how long it is said to be, in bytes; below 1,
// nobody has said. Of what it returns Held(text) is reserved; after an error, nothing. The error is ErrTooLong, a Failure
// of the memory's, or the reader's own.
func ReadAll(ctx context.Context, m Memory, r io.Reader, announced int64, limit int) ([]byte, error) {
	if announced > int64(limit) {
		return nil, ErrTooLong
	}
	longest := limit + 1 // one more byte shows that there is more
	if announced > 0 {
		longest = int(announced) + 1
	}
	text, err := enlarge(ctx, m, nil, min(longest, firstRead))
	for err == nil {
		if len(text) == cap(text) {
			if text, err = enlarge(ctx, m, text, next(text, announced, longest, limit)); err != nil {
				break
			}
		}
		var n int
		n, err = r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if len(text) > limit {
			err = ErrTooLong
		}
	}
	if errors.Is(err, io.EOF) {
		return text, nil
	}
	m.Return(Held(text))
	return nil, err //nolint:wrapcheck // callers tell whose it is
}

// next is the size of the buffer after one that is full: the whole, where it was announced, else twice as much.
func next(text []byte, announced int64, longest, limit int) int {
	if announced > 0 && cap(text) < longest {
		return longest
	}
	return min(2*cap(text), limit+1)
}

// Held is what ReadAll has reserved for a text that it returned, in bytes.
func Held(text []byte) int { return Copies * cap(text) }

// enlarge returns the text in a buffer of so many bytes, or as it was with the error.
func enlarge(ctx context.Context, m Memory, text []byte, size int) ([]byte, error) {
	if err := m.Reserve(ctx, Copies*(size-cap(text))); err != nil {
		return text, err //nolint:wrapcheck // it is a Failure already
	}
	larger := make([]byte, len(text), size)
	copy(larger, text)
	return larger, nil
}

// Meter reserves memory for what grows little by little, in steps, so that the memory is seldom asked. It must not be
// used by several goroutines at once.
type Meter struct {
	Memory Memory
	used   int
	held   int
}

// meterStep is the least that a Meter reserves, in bytes.
const meterStep = 4 << 10

// Grow adds so many bytes. The error is Memory's.
func (m *Meter) Grow(ctx context.Context, bytes int) error { return m.Fit(ctx, m.used+bytes) }

// Fit makes it so many bytes in all. The error is Memory's.
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
