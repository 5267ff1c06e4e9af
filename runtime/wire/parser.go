package wire

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
)

// ErrFrameTooLarge is wrapped by the error of [Parser.Write] when a frame has
// more bytes than the parser was made for.
var ErrFrameTooLarge = errors.New("event stream frame too large")

// errNotDrained reports a misuse: the frames may point into a buffer that the
// caller has filled anew, so they can neither be kept nor silently dropped.
var errNotDrained = errors.New("event stream: Write before Next returned false")

// retainedBuffer is how many bytes of buffer an idle stream may keep: one huge
// frame must not hold its memory for as long as the stream lives.
const retainedBuffer = 16 << 10

// What is scanned of a frame that has more bytes than usualFrame lies in pieces until its end has come. A buffer that grew
// with it would be copied again and again, into memory that has to be found anew each time.
const usualFrame = 48 << 10

// byteOrderMark may precede the stream (9.2.5: bom = %xFEFF, here in UTF-8).
var byteOrderMark = []byte("\xEF\xBB\xBF")

// Parser cuts the bytes of an event stream into frames. It is incremental: how
// the bytes were split over calls of Write changes nothing about the frames.
// Its memory grows with the frame that is arriving, as [Parser.Buffered] says, and
// is bounded by the largest frame allowed plus the bytes of one Write. It must
// not be used by several goroutines at once.
//
// The loop around it:
//
//	for {
//		n, readErr := r.Read(buf)
//		writeErr := p.Write(buf[:n])
//		for f, ok := p.Next(); ok; f, ok = p.Next() { … }
//		…
//	}
//	p.Finish() // at the end of the input; Next may then return a last frame
//	truncated := p.Partial()
type Parser struct {
	max     int
	spillAt int
	err     error

	view []byte // what ends refers to: the caller's bytes, or buf
	ends []int  // ends of the whole frames in view, ascending
	next int    // index in ends of the frame that Next returns
	at   int    // where in view that frame begins

	buf  []byte // owned: the unfinished frame, or the end of it, and what Write joined to it
	rest int    // where in buf it begins

	spilled [][]byte // owned: what precedes it, or the first frame in view, if that is large
	before  int      // how many bytes of the unfinished frame are spilled

	line    int  // start of the current line, from the frame's first byte that is not spilled
	scanned int  // no undecided line end lies before this, from the same byte
	bareCR  bool // the last line that was not blank ended in CR without LF
	begun   bool // a byte order mark can no longer follow
	ended   bool // Finish was called

	joined []byte // the data of a frame with several data lines
	frames int    // found so far
}

// NewParser returns a parser that refuses frames of more than maxFrame bytes,
// counting everything up to and including the blank line that ends them.
func NewParser(maxFrame int) *Parser {
	return &Parser{max: maxFrame, spillAt: usualFrame}
}

// Write feeds the next bytes of the stream. The whole frames in them are then
// to be had from [Parser.Next], which must return false before the following
// Write. Frames may point into b: the caller leaves b alone until then.
//
// It returns an error that wraps [ErrFrameTooLarge] once a frame exceeds the
// bound, whether or not its end has been seen. The frames before it can still
// be read; the parser takes nothing more, and repeats the error.
func (p *Parser) Write(b []byte) error {
	if p.err != nil {
		return p.err
	}
	if p.next < len(p.ends) {
		return errNotDrained
	}
	p.take(b)
	return p.err
}

// Finish says that the stream has ended: nothing is to be written any more. A
// frame whose blank line ended in a CR that might have been the first half of
// a CRLF is whole now, and comes from Next after those that are still there.
func (p *Parser) Finish() {
	p.ended = true
}

// Partial reports whether bytes of an unfinished frame are left. After Finish,
// and once Next has returned false, it means that the last frame was cut off,
// which the standard has discarded (9.2.6), or that it exceeded the bound.
func (p *Parser) Partial() bool {
	return p.err != nil || p.before > 0 || p.rest < len(p.buf)
}

// Buffered is how many bytes of memory the parser holds: for an unfinished frame,
// and for the data of one that has several lines. A large frame takes as much again
// from the call of Next that returns it on.
func (p *Parser) Buffered() int { return p.before + cap(p.buf) + cap(p.joined) }

// Rest returns the frame that was cut off at the end of the input, completed by
// the line ends that it lacks, or false if there is none. The standard has such
// a frame discarded (9.2.6): it is for a caller that can tell from its data that
// nothing is missing. It is to be called once Next has returned false after
// Finish, and the parser is then used up.
func (p *Parser) Rest() (Frame, bool) {
	if !p.ended || p.err != nil || !p.Partial() {
		return Frame{}, false
	}
	raw := p.whole(p.buf[p.rest:])
	if last := raw[len(raw)-1]; last != '\n' && last != '\r' {
		raw = append(raw, '\n')
	}
	raw = append(raw, '\n')
	return p.interpret(raw), true
}

// Next returns the next whole frame, or false when Write must be called first.
// The frame is valid until the following call of Next or Write, and while the
// caller leaves the written bytes alone.
func (p *Parser) Next() (Frame, bool) {
	if p.next == len(p.ends) && p.ended && p.err == nil {
		p.take(nil)
	}
	if p.next == len(p.ends) {
		return Frame{}, false
	}
	raw := p.whole(p.view[p.at:p.ends[p.next]:p.ends[p.next]])
	p.at = p.ends[p.next]
	p.next++
	return p.interpret(raw), true
}

// take finds the frames in what is left and b.
func (p *Parser) take(b []byte) {
	p.open(b)
	p.scan()
	p.keepRest()
}

// open puts the unfinished frame and b side by side. Without an unfinished
// frame b is used where it lies, which is the common case and copies nothing.
func (p *Parser) open(b []byte) {
	p.ends, p.next, p.at = p.ends[:0], 0, 0
	if p.rest == len(p.buf) {
		p.release()
		p.view = b
		return
	}
	if p.rest > 0 {
		p.buf = p.buf[:copy(p.buf, p.buf[p.rest:])]
		p.rest = 0
	}
	p.buf = append(p.buf, b...)
	p.view = p.buf
}

// release empties the owned buffer and frees it if a huge frame has grown it.
func (p *Parser) release() {
	p.buf, p.rest = p.buf[:0], 0
	if cap(p.buf) > retainedBuffer && p.before == 0 {
		p.buf = nil
	}
	if cap(p.joined) > retainedBuffer {
		p.joined = nil
	}
}

// keepRest takes a copy of the unfinished frame, unless it already lies in the
// owned buffer: the caller's bytes are only lent.
func (p *Parser) keepRest() {
	start := p.at
	if len(p.ends) > 0 {
		start = p.ends[len(p.ends)-1]
	}
	if p.err != nil {
		start = len(p.view)
		if p.before > 0 {
			p.spilled, p.before = nil, 0
		}
	}
	p.rest = start
	if len(p.buf) == 0 {
		p.buf = append(p.buf, p.view[start:]...)
		p.rest = 0
	}
	if p.err == nil && p.scanned >= p.spillAt && len(p.ends) == 0 { // otherwise the pieces are the first frame's in view
		p.spill()
	}
}

// spill puts the unfinished frame away as far as it has been scanned.
func (p *Parser) spill() {
	end := p.rest + p.scanned
	p.spilled = append(p.spilled, p.buf[p.rest:end:end])
	p.buf = append(make([]byte, 0, p.spillAt+p.spillAt/3), p.buf[end:]...)
	p.rest = 0
	p.before += p.scanned
	p.line -= p.scanned
	p.scanned = 0
}

// whole returns a frame whose end is given: the pieces that precede it are joined to it. It leaves the worker to others after
// each of them, for the scheduler takes no worker from a goroutine that copies.
func (p *Parser) whole(end []byte) []byte {
	if len(p.spilled) == 0 {
		return end
	}
	size := len(end) + len("\n\n") // see Rest
	for _, piece := range p.spilled {
		size += len(piece)
	}
	frame := make([]byte, 0, size)
	for i, piece := range p.spilled {
		frame = append(frame, piece...)
		p.spilled[i] = nil
		runtime.Gosched()
	}
	p.spilled, p.before = nil, 0
	return append(frame, end...)
}

// scan finds the ends of the frames in view, from where it stopped last time.
func (p *Parser) scan() {
	if !p.skipByteOrderMark() {
		return
	}
	start, line, pos := p.at, p.at+p.line, p.at+p.scanned
	eol := lineEnds{b: p.view, lf: -1, cr: -1}
	for p.err == nil {
		i := eol.from(pos)
		n := p.terminator(i, i == line)
		if n == 0 {
			pos = i
			break
		}
		pos = i + n
		if i != line {
			p.bareCR = n == 1 && p.view[i] == '\r'
			line = pos
			continue
		}
		p.check(p.before + pos - start)
		if p.err == nil {
			p.ends = append(p.ends, pos)
			p.frames++
			p.before = 0
		}
		start, line = pos, pos
	}
	p.check(p.before + len(p.view) - start)
	p.line, p.scanned = line-start, pos-start
}

func (p *Parser) check(size int) {
	if p.err == nil && size > p.max {
		p.err = fmt.Errorf("%w: frame %d has over %d bytes", ErrFrameTooLarge, p.frames+1, p.max)
	}
}

// terminator returns how many bytes end the line at i, or 0 if that is not
// known before more bytes arrive.
//
// A CR at the end of what has arrived may be half of a CRLF. Inside a frame
// waiting costs nothing. At a blank line it would hold a whole event back, so
// a stream that has just used a bare CR is believed to go on so; an LF that
// follows nevertheless is a separate frame without fields. Both decisions
// rest on the bytes alone, never on how they were split.
func (p *Parser) terminator(i int, blank bool) int {
	switch {
	case i == len(p.view):
		return 0
	case p.view[i] == '\n' || blank && p.bareCR:
		return 1
	case i+1 < len(p.view) && p.view[i+1] == '\n':
		return 2
	case i+1 < len(p.view) || p.ended:
		return 1
	}
	return 0
}

// skipByteOrderMark leaves the mark out of the first frame's bytes: anything
// a gateway sends ahead of that frame would turn it into part of a field name.
// It returns false while what has arrived may yet become one.
func (p *Parser) skipByteOrderMark() bool {
	if p.begun {
		return true
	}
	if len(p.view) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, p.view) && !p.ended {
		return false
	}
	p.begun = true
	if bytes.HasPrefix(p.view, byteOrderMark) {
		p.at = len(byteOrderMark)
	}
	return true
}

// lineEnds finds CRs and LFs in b, looking at every byte at most once for
// each, so that a stream which uses only one of them is still read in linear
// time.
type lineEnds struct {
	b      []byte
	lf, cr int // the first at or after the last position asked for
}

// from returns the index of the first CR or LF at or after pos, or len(b).
func (l *lineEnds) from(pos int) int {
	if l.lf < pos {
		l.lf = l.index('\n', pos)
	}
	if l.cr < pos {
		l.cr = l.index('\r', pos)
	}
	return min(l.lf, l.cr)
}

func (l *lineEnds) index(c byte, pos int) int {
	if i := bytes.IndexByte(l.b[pos:], c); i >= 0 {
		return pos + i
	}
	return len(l.b)
}
