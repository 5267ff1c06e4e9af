package http1

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// way is how a connection is read and written. Its reads end at its deadline.
type way interface {
	// Read reads what there is, or waits for it.
	Read(p []byte) (int, error)
	// ReadNew is Read with a buffer of the pool. Where it can, it takes one only once there is something to read.
	ReadNew() (*buffer, int, error)
	// Write writes everything. The client has to take something now and then, and all of it in time; a zero time is unlimited.
	Write(p []byte, until time.Time) error
	// Watch calls left, once, if the client leaves before Unwatch is called. Nothing is read in between.
	Watch(left func())
	// Unwatch ends the watch.
	Unwatch()
}

// plainWay knows no more of a connection than net.Conn shows: it reads a byte ahead to notice that a client leaves.
type plainWay struct {
	*deadline

	writes  *relay.Progress
	ahead   []byte
	watched chan struct{} // closed when the watch has ended; nil if there is none
}

func newPlainWay(c net.Conn, d *deadline, stall time.Duration) *plainWay {
	return &plainWay{deadline: d, writes: relay.NewProgress(c, stall)}
}

// Read implements way.
func (w *plainWay) Read(p []byte) (int, error) {
	if len(w.ahead) > 0 {
		n := copy(p, w.ahead)
		w.ahead = w.ahead[n:]
		return n, nil
	}
	w.arm()
	for {
		n, err := w.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || w.passed() {
			return n, err
		}
	}
}

// ReadNew implements way.
func (w *plainWay) ReadNew() (*buffer, int, error) {
	b := takeBuffer()
	n, err := w.Read(b[:])
	if n == 0 {
		buffers.Put(b)
		return nil, 0, err
	}
	return b, n, err
}

// Write implements way.
func (w *plainWay) Write(p []byte, until time.Time) error {
	_ = w.writes.Until(until) // it fails only if the connection is closed, as the write will
	_, err := w.writes.Write(p)
	return err
}

// Watch implements way. It sees no further than the first byte that the client sends.
func (w *plainWay) Watch(left func()) {
	if len(w.ahead) > 0 {
		return
	}
	w.suspend()
	ended := make(chan struct{})
	w.watched = ended
	go func() {
		defer close(ended)
		var one [1]byte
		n, err := w.conn.Read(one[:])
		w.ahead = append(w.ahead, one[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			left()
		}
	}()
}

// Unwatch implements way.
func (w *plainWay) Unwatch() {
	if w.watched != nil {
		w.interrupt()
		<-w.watched
		w.watched = nil
	}
}
