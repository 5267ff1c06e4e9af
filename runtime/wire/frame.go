package wire

import (
	"bytes"
	"math"
	"time"
)

// Frame is what stands between two blank lines of an event stream. Its slices
// belong to the [Parser] that returned it. Text is passed on as received: it
// ought to be UTF-8 and is not checked.
type Frame struct {
	// Raw is the frame as received, with the blank line that ends it, and
	// without the byte order mark that may precede the first.
	Raw []byte

	// Event is the event's type; empty stands for "message".
	Event []byte

	// Data is the values of all data fields, joined by LF.
	Data []byte
	// HasData is true if there was a data field, even an empty one: a frame
	// without any is not dispatched (a comment, an id alone).
	HasData bool

	// ID is the value of the last id field without a NUL.
	ID []byte
	// HasID distinguishes an empty id, which resets the last event ID, from none.
	HasID bool

	// Retry is the reconnection time asked for.
	Retry time.Duration
	// HasRetry distinguishes a retry of zero from none.
	HasRetry bool
}

// interpret reads a frame's lines (9.2.6). Data with one line, the usual kind,
// points into raw.
func (p *Parser) interpret(raw []byte) Frame {
	f := Frame{Raw: raw}
	dataLines := 0
	eol := lineEnds{b: raw, lf: -1, cr: -1}
	for pos := 0; pos < len(raw); {
		end := eol.from(pos)
		name, value := field(raw[pos:end])
		pos = end + 1 // the LF of a CRLF then reads as an empty line
		switch string(name) {
		case "data":
			p.addData(&f, value, dataLines)
			dataLines++
		case "event":
			f.Event = value
		case "id":
			f.setID(value)
		case "retry":
			f.setRetry(value)
		}
	}
	return f
}

// field splits a line at its first colon and drops one space after it. A
// comment, which begins with the colon, has the empty name.
func field(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte(":"))
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}

// InRaw returns where in Raw byte i of Data stands, of the line ends between lines of data included.
func (f *Frame) InRaw(i int) int {
	eol := lineEnds{b: f.Raw, lf: -1, cr: -1}
	for pos := 0; pos < len(f.Raw); {
		end := eol.from(pos)
		if name, value := field(f.Raw[pos:end]); string(name) == "data" {
			if i <= len(value) {
				return end - len(value) + i
			}
			i -= len(value) + 1
		}
		pos = end + 1
	}
	return len(f.Raw)
}

func (p *Parser) addData(f *Frame, value []byte, before int) {
	f.HasData = true
	if before == 0 {
		f.Data = value
		return
	}
	if before == 1 {
		p.joined = append(p.joined[:0], f.Data...)
	}
	p.joined = append(p.joined, '\n')
	p.joined = append(p.joined, value...)
	f.Data = p.joined
}

func (f *Frame) setID(value []byte) {
	if bytes.IndexByte(value, 0) < 0 {
		f.ID, f.HasID = value, true
	}
}

// setRetry takes ASCII digits, as milliseconds, and ignores anything else. A
// value beyond what a Duration holds is ignored too.
func (f *Frame) setRetry(value []byte) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	var ms int64
	for _, c := range value {
		if c < '0' || c > '9' || ms > (most-9)/10 {
			return
		}
		ms = ms*10 + int64(c-'0')
	}
	if len(value) > 0 {
		f.Retry, f.HasRetry = time.Duration(ms)*time.Millisecond, true
	}
}
