package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// head is the part of a message's head that its framing needs.
type head struct {
	first   [32]byte // of the first line, as far as it fits
	length  int64    // of the body; -1 if it has no Content-Length
	chunked bool
}

// errFraming is a message that these two ends do not expect of each other.
var errFraming = errors.New("a message that this client does not understand")

// readHead reads a head to the empty line. It knows only as much as programs say that read and write HTTP correctly.
func readHead(r *bufio.Reader) (h head, err error) {
	h.length = -1
	for i := 0; ; i++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return h, fmt.Errorf("read a head: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 && i > 0 {
			return h, nil
		}
		if i == 0 {
			copy(h.first[:], line)
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return h, fmt.Errorf("%w: %w", errFraming, err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
}

// ok reports whether the head is that of an answer with status 200.
func (h *head) ok() bool { return bytes.HasPrefix(h.first[:], []byte("HTTP/1.1 200")) }

// appendBody reads a body and appends it.
func (h *head) appendBody(r *bufio.Reader, to []byte) ([]byte, error) {
	err := h.each(r, func(piece []byte) { to = append(to, piece...) })
	return to, err
}

// each reads a body, and passes on each piece as it comes.
func (h *head) each(r *bufio.Reader, do func([]byte)) error {
	if !h.chunked {
		return piece(r, max(h.length, 0), do)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read a chunk: %w", err)
		}
		size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errFraming, err)
		}
		if err := piece(r, n, do); err != nil {
			return err
		}
		if end, err := r.ReadSlice('\n'); err != nil || len(bytes.TrimRight(end, "\r\n")) > 0 {
			return fmt.Errorf("the end of a chunk: %w", errors.Join(err, errFraming))
		}
		if n == 0 {
			return nil
		}
	}
}

// piece reads so many bytes through the reader's own buffer.
func piece(r *bufio.Reader, n int64, do func([]byte)) error {
	for n > 0 {
		if _, err := r.Peek(1); err != nil {
			return fmt.Errorf("read a body: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		have := min(int64(r.Buffered()), n)
		text, _ := r.Peek(int(have))
		do(text)
		_, _ = r.Discard(int(have))
		n -= have
	}
	return nil
}
