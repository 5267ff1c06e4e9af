package http1

import (
	"io"
	"sync"
)

// bufferSize is that of the buffers that requests are written from and heads are read into, in bytes.
const bufferSize = 4 << 10

// buffer is what a call needs until the body of its answer is read: bytes, of which the first at are used up, and the fields that
// are parts of them.
type buffer struct {
	bytes  []byte
	at     int
	fields []Field
}

// buffers are those that are not in use.
var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, bufferSize)} }}

// borrow returns an empty buffer; it belongs to the caller until it is given back.
func borrow() *buffer {
	return buffers.Get().(*buffer) //nolint:forcetypeassert // the pool holds nothing else
}

// giveBack takes a buffer that nobody uses any more. One that has grown is left to the garbage collector.
func (b *buffer) giveBack() {
	const retained = 2 * bufferSize
	if cap(b.bytes) > retained {
		return
	}
	clear(b.fields[:cap(b.fields)])
	b.bytes, b.at, b.fields = b.bytes[:0], 0, b.fields[:0]
	buffers.Put(b)
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
