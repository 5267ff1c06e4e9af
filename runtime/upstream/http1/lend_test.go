package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// shelf is a Lender that tells when a buffer comes back.
type shelf struct {
	lent     []byte
	returned chan struct{}
}

func (s *shelf) Lend() []byte {
	if s.lent == nil {
		s.lent = make([]byte, 100)
	}
	return s.lent
}

func (s *shelf) Return() {
	if s.lent != nil {
		s.lent = nil
		s.returned <- struct{}{}
	}
}

// TestASilentAnswerHasNoBuffer: each event comes only once the buffer of the one before it was given back.
func TestASilentAnswerHasNoBuffer(t *testing.T) {
	l := &shelf{returned: make(chan struct{}, 10)}
	c := dial(t, newPool(), server(t, func(c net.Conn, requests *bufio.Reader) {
		next(requests)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			select {
			case <-l.returned:
			case <-time.After(patience):
				return
			}
			_, _ = io.WriteString(c, "d\r\ndata: hello\n\n\r\n")
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
	}))
	a, err := c.Exchange(t.Context(), get())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 3 {
		n, err := a.ReadLent(l)
		if ended := errors.Is(err, io.EOF); err != nil && !ended || string(l.lent[:n]) != "data: hello\n\n" {
			t.Fatalf("%q, %v", l.lent[:n], err)
		}
	}
	if n, err := a.ReadLent(l); n > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// TestReadLentEndsWithTheContext: a read that waits ends with the context, as Read does.
func TestReadLentEndsWithTheContext(t *testing.T) {
	l := &shelf{returned: make(chan struct{}, 10)}
	c := dial(t, newPool(), server(t, func(c net.Conn, requests *bufio.Reader) {
		next(requests)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		_, _ = io.Copy(io.Discard, c)
	}))
	left := errors.New("left")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	a, err := c.Exchange(ctx, get())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for read := 0; read < 2; {
		n, err := a.ReadLent(l)
		if read += n; err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		<-l.returned
		cancel(left)
	}()
	if n, err := a.ReadLent(l); n > 0 || !errors.Is(err, left) {
		t.Errorf("%d, %v", n, err)
	}
}
