package http1

import "sync"

// bufferSize is that of a buffer, in bytes: most requests fit, which are read at once then, and so do most events.
const bufferSize = 12 << 10

type buffer [bufferSize]byte

// buffers are those that are not in use. A connection has one only while there is something in it.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() *buffer { return buffers.Get().(*buffer) } //nolint:forcetypeassert // the pool holds nothing else

// input is what was read of a connection and not used yet.
type input struct {
	way way

	rest   []byte
	pooled *buffer // holds rest; nil if another array does, or none
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	if len(in.rest) == 0 {
		return in.way.Read(p)
	}
	n := copy(p, in.rest)
	in.use(n)
	return n, nil
}

// fill reads more. If there is nothing yet, it takes a buffer only once something has come.
func (in *input) fill() error {
	if len(in.rest) == 0 {
		b, n, err := in.way.ReadNew()
		if n > 0 {
			in.pooled, in.rest = b, b[:n]
		}
		return err
	}
	if len(in.rest) == cap(in.rest) {
		more := make([]byte, len(in.rest), 2*len(in.rest)+bufferSize)
		copy(more, in.rest)
		in.release()
		in.rest = more
	}
	n, err := in.way.Read(in.rest[len(in.rest):cap(in.rest)])
	in.rest = in.rest[:len(in.rest)+n]
	return err
}

// use removes what was used.
func (in *input) use(n int) {
	in.rest = in.rest[n:]
	if len(in.rest) == 0 {
		in.release()
	}
}

func (in *input) release() {
	if in.pooled != nil {
		buffers.Put(in.pooled)
	}
	in.pooled, in.rest = nil, nil
}

// unread puts bytes before all that comes.
func (in *input) unread(p []byte) {
	if len(p) > 0 {
		all := append(append([]byte(nil), p...), in.rest...)
		in.release()
		in.rest = all
	}
}

// take returns all that was read, in an array of its own.
func (in *input) take() []byte {
	all := append([]byte(nil), in.rest...)
	in.release()
	return all
}
