package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/arrival"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

const patience = 20 * time.Second

// pair is a client's connection and the way of its other end.
func pair(t *testing.T, stall time.Duration) (client *net.TCPConn, s *socket) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	nethttp.LimitSendBuffer(accepted)
	w := &ways{}
	chosen, forget := w.of(accepted, newDeadline(accepted), stall)
	t.Cleanup(func() {
		forget()
		_, _ = dialled.Close(), accepted.Close()
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return dialled.(*net.TCPConn), chosen.(*socket)
}

// A client that leaves is noticed though nothing is read, and though what it has sent before is still there to be read.
func TestAClientThatLeavesIsNoticed(t *testing.T) {
	for name, tt := range map[string]struct {
		sends string
		leave func(c *net.TCPConn) error
	}{
		"it closes":                         {"", (*net.TCPConn).Close},
		"it shuts its sending side":         {"", (*net.TCPConn).CloseWrite},
		"it resets":                         {"", func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }},
		"it has sent another request":       {"GET /", (*net.TCPConn).CloseWrite},
		"it has sent another one and reset": {"GET /", func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []bool{true, false} {
				client, s := pair(t, patience)
				left := make(chan struct{})
				if before {
					s.Watch(func() { close(left) })
					defer s.Unwatch()
				}
				if _, err := io.WriteString(client, tt.sends); err != nil {
					t.Fatal(err)
				}
				if err := tt.leave(client); err != nil {
					t.Fatal(err)
				}
				if !before {
					awaitGone(t, s)
					s.Watch(func() { close(left) })
					defer s.Unwatch()
				}
				select {
				case <-left:
				case <-time.After(patience):
					t.Error("nobody noticed")
				}
			}
		})
	}
}

// awaitGone waits until the watcher has heard of the client.
func awaitGone(t *testing.T, s *socket) {
	t.Helper()
	gone := make(chan struct{})
	s.Watch(func() { close(gone) })
	defer s.Unwatch()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("nobody noticed")
	}
}

// After its watch a connection may leave without a call: its request is over.
func TestNobodyIsCalledAfterAWatch(t *testing.T) {
	_, s := pair(t, patience)
	s.Watch(func() { t.Error("called") })
	s.Unwatch()
	s.leave()
	awaitGone(t, s)
}

// A connection has no buffer while it is silent.
func TestASilentConnectionHasNoBuffer(t *testing.T) {
	client, s := pair(t, patience)
	in := input{way: s}
	s.set(time.Now().Add(patience))
	for _, text := range []string{"abc", "d"} {
		if in.pooled != nil || in.rest != nil || s.taken != nil {
			t.Error("it has one")
		}
		filled := make(chan error, 1)
		go func() { filled <- in.fill() }()
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
		if err := <-filled; err != nil || string(in.rest) != text {
			t.Errorf("%q, %v", in.rest, err)
		}
		in.use(len(text))
	}
}

// Reads end at their limits on sockets, too, and go on if the connection's own deadline was too early.
func TestReadsOfSocketsEnd(t *testing.T) {
	client, s := pair(t, patience)
	s.set(time.Now().Add(time.Millisecond))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	s.set(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(client, "a") }()
	if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after a deadline: %d, %v", n, err)
	}
	_ = client.Close()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

// What the kernel does not take at once is written as the client reads, and a client that reads nothing is left.
func TestWritesOfSockets(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 16<<20)
	client, s := pair(t, patience)
	read := make(chan int64)
	go func() {
		n, _ := io.CopyN(io.Discard, client, int64(len(long)))
		read <- n
	}()
	if err := s.Write(long, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n := <-read; n != int64(len(long)) {
		t.Errorf("%d bytes were read", n)
	}
	if err := s.Write([]byte("x"), time.Time{}); err != nil {
		t.Errorf("after a slow write: %v", err)
	}
	if err := s.Write([]byte("x"), time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the answer's time: %v", err)
	}
	_, stalled := pair(t, 10*time.Millisecond)
	if err := stalled.Write(long, time.Time{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("to a client that reads nothing: %v", err)
	}
}

// An event costs no memory. Under the race detector, pools lose some of what they hold: less than one for each event.
func TestAnEventCostsNoMemory(t *testing.T) {
	client, s := pair(t, patience)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	e := New(nethttp.Options{Logger: slog.New(slog.DiscardHandler), Connections: func() int { return 1 }})
	c := &conn{server: &server{Engine: e}, way: s}
	x := &transaction{conn: c, incoming: arrival.Body{}}
	if err := x.Begin(http.Header{"Content-Type": {"text/event-stream"}}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	event := []byte("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n")
	if n := testing.AllocsPerRun(1000, func() { _ = x.Send(event) }); n != 0 {
		t.Errorf("%v allocations for an event", n)
	}
}

// Connections that come after a fault of one are served: a panic of the engine's own ends one connection.
func TestAPanicEndsOneConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	e := New(nethttp.Options{
		Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: func() int { return 1 }, DrainTimeout: time.Second,
		BodyTimeout: patience, WriteTimeout: patience, ReplyTimeout: patience,
	})
	go func() { ended <- e.Serve(ctx, l, broken{}) }()
	for range 3 { // there is one place: each gives it back
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_ = conn.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// broken is a policy that panics in all its methods, also where it answers a panic.
type broken struct{}

func (broken) Begin(*relay.Head) relay.Exchange              { panic("begin") }
func (broken) Panicked(_ relay.Exchange, _ any) *relay.Reply { panic("panicked") }
