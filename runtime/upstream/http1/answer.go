package http1

import (
	"context"
	"io"
	"time"
)

// Answer is the head of an answer, and a reader of its body. It is not for concurrent use, and ends with its context.
type Answer struct {
	Status int
	// Length is the length that was announced for the body, in bytes; -1 if none was.
	Length int64

	conn    *Conn           // nil once the answer has ended
	ctx     context.Context //nolint:containedctx // it is the call's, which lives as long
	unwatch func() bool     // nil if the context never ends
	writing chan error      // the result of a write that the caller does not wait for; nil if there is none
	buffer  *buffer         // nil once nothing of it is needed

	framing framing
	left    int64 // of a measured body
	chunks  chunks
	last    bool // the connection is not used again
	err     error
}

// Fields are the header fields. They are valid until the body is read or closed.
func (a *Answer) Fields() []Field {
	if a.buffer == nil {
		return nil
	}
	return a.buffer.fields
}

// begin takes over a head. An answer without a body ends here.
func (a *Answer) begin(h *head, last bool) {
	a.Status, a.Length = h.status, h.length
	a.framing, a.left, a.last = h.framing, h.length, h.last || last
	if h.framing == unread || h.framing == measured && h.length == 0 {
		a.err = io.EOF
		a.end(true)
	}
}

// Read implements io.Reader. What does not belong to the body is never returned, but p may be overwritten with it.
func (a *Answer) Read(p []byte) (int, error) {
	if len(p) == 0 && a.err == nil {
		return 0, nil
	}
	for a.err == nil {
		n, err := a.receive(p)
		if data := a.settle(p[:n], err); data > 0 {
			return data, a.err
		}
	}
	a.forget()
	return 0, a.err
}

// settle takes what was read with err, and ends the answer where that ends it. It returns how much data is at the front.
func (a *Answer) settle(b []byte, err error) int {
	data, beyond, ended := a.take(b, err)
	if ended != nil {
		a.err = ended
		a.end(ended == io.EOF && !beyond) //nolint:errorlint // never wrapped here
		if ended != io.EOF {              //nolint:errorlint // likewise
			a.err = a.reason(ended)
		}
	}
	return data
}

// receive reads once: first what came with the head.
func (a *Answer) receive(p []byte) (int, error) {
	if a.buffer != nil {
		if n := copy(p, a.buffer.rest()); n > 0 {
			a.buffer.at += n
			return n, nil
		}
		a.forget() // nothing is held while the answer is silent
	}
	return a.conn.conn.Read(p)
}

// take finds the data in b, which was read with err, and moves it to the front. Ended is io.EOF at the end of the body, and
// otherwise why it broke off; beyond says that there was more than the body.
func (a *Answer) take(b []byte, err error) (data int, beyond bool, ended error) {
	var whole bool
	switch a.framing {
	case inChunks:
		var taken int
		data, taken, ended = a.chunks.decode(b)
		whole, beyond = a.chunks.place == endOfChunks, taken < len(b)
	case measured:
		data = int(min(int64(len(b)), a.left))
		a.left -= int64(data)
		whole, beyond = a.left == 0, data < len(b)
	default:
		data = len(b)
		whole = err == io.EOF //nolint:errorlint // as io.Reader demands
	}
	switch {
	case ended != nil:
	case whole:
		ended = io.EOF
	case err != nil:
		ended = early(err)
	}
	return data, beyond, ended
}

// Close ends the answer. If all of it has come already, its connection is used again.
func (a *Answer) Close() error {
	if a.conn != nil {
		var ended error
		var beyond bool
		if a.buffer != nil && a.framing != untilClose {
			_, beyond, ended = a.take(a.buffer.rest(), nil)
			a.buffer.at = len(a.buffer.bytes)
		}
		a.end(ended == io.EOF && !beyond) //nolint:errorlint // never wrapped here
	}
	if a.err == nil {
		a.err = errClosed
	}
	a.forget()
	return nil
}

// end gives the connection back, or closes it.
func (a *Answer) end(reusable bool) {
	c := a.conn
	a.conn = nil
	reusable = reusable && !a.last && (a.buffer == nil || len(a.buffer.rest()) == 0) && a.wrote()
	if a.unwatch != nil && !a.unwatch() || !reusable {
		c.cut()
		if a.writing != nil {
			c.written = <-a.writing == nil
		}
		return
	}
	c.home(c)
}

// wrote reports whether the request was sent whole. Whoever writes it may still be about to say so.
func (a *Answer) wrote() bool {
	if a.writing == nil {
		return true
	}
	impatience := time.NewTimer(writeGrace)
	defer impatience.Stop()
	select {
	case err := <-a.writing:
		a.writing = nil
		return err == nil
	case <-impatience.C:
		return false // it is answered already, so that nobody needs the rest
	}
}

// writeGrace is how long a request may still be on its way out when its answer has ended.
const writeGrace = 50 * time.Millisecond

// forget gives the buffer back.
func (a *Answer) forget() {
	if a.buffer != nil {
		a.buffer.giveBack()
		a.buffer = nil
	}
}

// reason is why the call has failed: what its context says, if that has ended.
func (a *Answer) reason(err error) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return err
}
