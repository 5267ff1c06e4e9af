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

// Turns returns a reader of r that reads at most Piece at a time, and leaves the worker to others after each read. The
// scheduler takes a worker from a goroutine only after ten milliseconds: twenty that read what is always there would make
// a stream's event wait for a tenth of a second on two workers.
func Turns(r io.Reader) io.Reader { return turns{r} }

type turns struct{ r io.Reader }

func (t turns) Read(p []byte) (int, error) {
	n, err := t.r.Read(p[:min(len(p), Piece)])
	goruntime.Gosched()
	return n, err
}
