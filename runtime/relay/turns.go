package relay

import (
	"io"
	goruntime "runtime"
)

// Piece is how much is read at a time, in bytes, of what comes as fast as it can.
const Piece = 16 << 10

// Retained is how many bytes of buffer a stream may keep for its next events: a huge one must not hold its memory for as long
// as the stream lives.
const Retained = 64 << 10

// leastRead is what a read counts at least, in bytes: a text may come in pieces of a byte each that are all there.
const leastRead = 1 << 10

// InTurns reads at most Piece at a time, and leaves the worker to others whenever it has read a
// Piece. The scheduler takes a worker from a goroutine only after ten milliseconds: twenty that read what is always there would
// make a stream's event wait for a tenth of a second on two workers. A short text needs no turn of its own: to give way costs as
// much as to read it.
type InTurns struct {
	io.Reader

	read int // since the last turn, in bytes
}

// Come is for ReadAll.
func (t *InTurns) Come() int { return Come(t.Reader) }

// Read implements io.Reader.
func (t *InTurns) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p[:min(len(p), Piece)])
	if t.read += max(n, leastRead); t.read >= Piece {
		t.read = 0
		goruntime.Gosched()
	}
	return n, err
}
