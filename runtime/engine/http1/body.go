package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"net/textproto"
	"sync"
)

// sized is a body of a length that the client has announced.
type sized struct {
	in   *input
	left int64
}

// Come is for relay.ReadAll.
func (b *sized) Come() int { return int(min(int64(len(b.in.rest)), b.left)) }

// Read implements io.Reader.
func (b *sized) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkLine bounds a chunk's first line, and what may follow the last chunk, in bytes, as net/http does.
const chunkLine = 4 << 10

// readers are those of bodies in chunks.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, chunkLine) }}

// chunked is a body in chunks (RFC 9112, section 7.1), read by net/http's own reader of them.
type chunked struct {
	in     *input
	reader *bufio.Reader // nil once the body has ended
	chunks io.Reader
}

func newChunked(in *input) *chunked {
	reader := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // the pool holds nothing else
	reader.Reset(in)
	return &chunked{in: in, reader: reader, chunks: httputil.NewChunkedReader(reader)}
}

// Read implements io.Reader.
func (b *chunked) Read(p []byte) (int, error) {
	if b.reader == nil {
		return 0, io.EOF
	}
	n, err := b.chunks.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if err := trailer(b.reader); err != nil {
		return n, err
	}
	b.end()
	return n, io.EOF
}

// end gives back what was read beyond the body.
func (b *chunked) end() {
	more, _ := b.reader.Peek(b.reader.Buffered()) // it cannot fail
	b.in.unread(more)
	b.reader.Reset(nil)
	readers.Put(b.reader)
	b.reader = nil
}

var errLongTrailer = errors.New("the trailer is too long")

// trailer reads what follows the last chunk. Its fields are not used, but have to be fields.
func trailer(r *bufio.Reader) error {
	end, err := r.Peek(len(crlf))
	if bytes.Equal(end, crlf) {
		_, err = r.Discard(len(crlf))
		return err
	}
	if err != nil {
		return unexpected(err)
	}
	if !hasEnd(r) {
		return errLongTrailer
	}
	_, err = textproto.NewReader(r).ReadMIMEHeader()
	return unexpected(err)
}

// hasEnd reports whether the trailer ends within the reader's buffer.
func hasEnd(r *bufio.Reader) bool {
	for n := len(headEnd); ; n++ {
		some, err := r.Peek(n)
		if err != nil {
			return false
		}
		if bytes.HasSuffix(some, headEnd) {
			return true
		}
	}
}

// unexpected has an early end be an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
