package http1

import (
	"io"
	"sync"
)

// bufferSize is that of the buffers that requests are written from and heads are read into, in bytes. A request that is larger, but
// not larger than largeSize, is copied into a large buffer: one write of it costs less than two, of which the first wakes the
// server before the second.
const bufferSize, largeSize = 4 << 10, 32 << 10

// buffer is what a call needs until the body of its answer is read: bytes, of which the first at are used up, and the fields that
// are parts of them.
type buffer struct {
	bytes  []byte
	at     int
	fields []Field
}

// buffers and largeBuffers are those that are not in use.
var buffers, largeBuffers = pool(bufferSize), pool(largeSize)

func pool(size int) *sync.Pool {
	return &sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, size)} }}
}

// borrow returns an empty buffer for a request with a body of so many bytes; it belongs to the caller until it is given back.
func borrow(body int) *buffer {
	from := buffers
	if body > bufferSize-usualHead && body <= largeSize-usualHead {
		from = largeBuffers
	}
	return from.Get().(*buffer) //nolint:forcetypeassert // the pools hold nothing else
}

// usualHead is the size of most heads, in bytes.
const usualHead = 512

// giveBack takes a buffer that nobody uses any more. One that has grown is left to the garbage collector.
func (b *buffer) giveBack() {
	to := buffers
	switch cap(b.bytes) {
	case bufferSize:
	case largeSize:
		to = largeBuffers
	default:
		return
	}
	clear(b.fields[:cap(b.fields)])
	b.bytes, b.at, b.fields = b.bytes[:0], 0, b.fields[:0]
	to.Put(b)
}

// rest is what is not used up.
func (b *buffer) rest() []byte { return b.bytes[b.at:] }

// fill reads once, into more room if there is none.
func (b *buffer) fill(from io.Reader) (int, error) {
	if len(b.bytes) == cap(b.bytes) {
		b.bytes = append(make([]byte, 0, 2*cap(b.bytes)), b.bytes...)
	}
	n, err := from.Read(b.bytes[len(b.bytes):cap(b.bytes)])
	b.bytes = b.bytes[:len(b.bytes)+n]
	return n, err
}

// drop forgets what is used up.
func (b *buffer) drop() {
	b.bytes = b.bytes[:copy(b.bytes, b.rest())]
	b.at = 0
}
