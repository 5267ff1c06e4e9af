package http1

// Bounds of the chunked coding (RFC 9112, section 7.1). A sender may send a byte in each chunk, but not extensions without end.
const (
	maxSizeDigits = 16
	maxTrailers   = 4 << 10
	maxExcess     = 16 << 10
	maxLine       = 4 << 10
	// freeLine and freeShare are how much besides data is not in excess: so much for a chunk, and for each of its bytes.
	freeLine, freeShare = 16, 2
)

// place is where in the coding the next byte stands.
type place int

const (
	inSize place = iota
	afterSize
	inExtension
	sizeLF
	inData
	dataCR
	dataLF
	trailerStart
	trailerName
	trailerValue
	trailerLF
	lastLF
	endOfChunks
)

// chunks decodes the chunked coding, wherever reads have cut it. Lines end with CR LF, because a bare LF is not allowed here. The
// fields of the trailer are checked and dropped.
type chunks struct {
	place  place
	digits int
	left   uint64 // of the chunk
	excess int    // of what is not data
	line   int    // bytes of the present line
	tail   int    // bytes of the trailer
}

// decode moves the data in b to its front. It returns how much data that is, and how many bytes of b it took: fewer than all
// only if the coding has ended.
func (c *chunks) decode(b []byte) (data, taken int, err error) {
	for taken < len(b) && c.place != endOfChunks {
		if c.place == inData {
			n := int(min(uint64(len(b)-taken), c.left)) //nolint:gosec // not more than an int
			data += copy(b[data:], b[taken:taken+n])
			taken += n
			if c.left -= uint64(n); c.left == 0 { //nolint:gosec // not negative
				c.place = dataCR
			}
			continue
		}
		if c.place < trailerStart {
			c.line++
		} else {
			c.tail++
		}
		ok := c.step(b[taken])
		switch {
		case c.tail > 0 && (!ok || c.tail > maxTrailers):
			return data, taken, ErrEnd
		case !ok || c.line > maxLine:
			return data, taken, ErrChunks
		}
		taken++
	}
	return data, taken, nil
}

// step takes a byte that is not data.
func (c *chunks) step(b byte) bool {
	switch c.place {
	case inSize, afterSize, inExtension:
		return c.sizeLine(b)
	case sizeLF:
		return b == '\n' && c.begin()
	case dataCR:
		return c.expect(b, '\r', dataLF)
	case dataLF:
		c.digits, c.line = 0, 0
		return c.expect(b, '\n', inSize)
	default:
		return c.trailer(b)
	}
}

func (c *chunks) expect(b, want byte, next place) bool {
	c.place = next
	return b == want
}

// sizeLine takes a byte of a chunk's first line. White space may follow the size, and nobody reads extensions.
func (c *chunks) sizeLine(b byte) bool {
	switch {
	case b == '\r':
		c.place = sizeLF
		return c.digits > 0
	case c.place == inExtension:
		return b >= ' ' && b != 0x7f || b == '\t'
	case b == ';':
		c.place = inExtension
		return c.digits > 0
	case b == ' ' || b == '\t':
		c.place = afterSize
		return c.digits > 0
	case c.place == afterSize:
		return false
	}
	value, ok := hex(b)
	c.left = c.left<<4 | uint64(value)
	c.digits++
	return ok && c.digits <= maxSizeDigits
}

func hex(b byte) (value byte, ok bool) {
	switch {
	case digit(b):
		return b - '0', true
	case 'a' <= b|' ' && b|' ' <= 'f':
		return b | ' ' - 'a' + 10, true
	}
	return 0, false
}

// begin begins a chunk, or the trailer after the last one.
func (c *chunks) begin() bool {
	if c.place = inData; c.left == 0 {
		c.place = trailerStart
	}
	free := freeLine + freeShare*min(c.left, maxExcess)
	c.excess = max(c.excess+c.line-int(free), 0)
	return c.excess <= maxExcess
}

// trailer takes a byte of a field after the last chunk.
func (c *chunks) trailer(b byte) bool {
	switch c.place {
	case trailerStart:
		if b == '\r' {
			c.place = lastLF
			return true
		}
		c.place = trailerName
		return tokens[b]
	case trailerName:
		if b == ':' {
			c.place = trailerValue
			return true
		}
		return tokens[b]
	case trailerValue:
		if b == '\r' {
			c.place = trailerLF
			return true
		}
		return b >= ' ' && b != 0x7f || b == '\t'
	case trailerLF:
		return c.expect(b, '\n', trailerStart)
	default:
		return c.expect(b, '\n', endOfChunks)
	}
}
