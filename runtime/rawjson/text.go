package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// text passes a string (RFC 8259, section 7), and reports whether it has escapes. Within a long one, others get their turns.
func (c *cursor) text(i int) (end int, escaped bool) {
	for i++; ; {
		run, ascii := verbatim(c.doc[:min(c.turns.due, len(c.doc))], i)
		if !ascii && !c.said {
			if run = wholeRunes(c.doc, i, run); !utf8.Valid(c.doc[i:run]) {
				return -1, false
			}
		}
		i = run
		if i == len(c.doc) {
			return -1, false
		}
		switch b := c.doc[i]; {
		case b == '"':
			return i + 1, escaped
		case b == '\\':
			if i, escaped = c.escape(i), true; i < 0 {
				return -1, false
			}
			c.turns.pass(i)
		case b < ' ':
			return -1, false
		default:
			c.turns.give(i)
		}
	}
}

// verbatim passes what stands for itself in a string, and reports whether that is ASCII. It looks at eight bytes at a time, and at
// four times as many for as long as none of them ends the run.
func verbatim(text []byte, i int) (end int, ascii bool) {
	i, all := stride(text, i)
	for rest := text[min(i, len(text)):]; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		if ends := ending(w) & highest; ends != 0 {
			bit := bits.TrailingZeros64(ends) &^ 7
			return i + bit/8, (all|w&(1<<bit-1))&highest == 0
		}
		all |= w
		i += 8
	}
	for ; i < len(text); i++ {
		b := text[i]
		if b < ' ' || b == '"' || b == '\\' {
			break
		}
		all |= uint64(b)
	}
	return i, all&highest == 0
}

// stride passes 32 bytes at a time of what stands for itself. all are these bytes, one over the other.
func stride(text []byte, i int) (end int, all uint64) {
	for rest := text[min(i, len(text)):]; len(rest) >= 32; rest = rest[32:] {
		a, b := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		c, d := binary.LittleEndian.Uint64(rest[16:]), binary.LittleEndian.Uint64(rest[24:])
		if (ending(a)|ending(b)|ending(c)|ending(d))&highest != 0 {
			break
		}
		all |= a | b | c | d
		i += 32
	}
	return i, all
}

// each and highest are a byte's lowest and highest bit, in each of eight bytes.
const each, highest = 0x0101010101010101, 0x8080808080808080

// ending has the highest bit of a byte set if the byte ends a run of text, or if one before it does, so the lowest of these bits
// says where the run ends. Control characters and the quote take one difference together: with their second bit turned, they are
// all characters up to the blank. Bytes beyond ASCII end nothing.
func ending(w uint64) uint64 {
	controlOrQuote, backslash := (w^each*2)-each*(' '+1), (w^each*'\\')-each
	return (controlOrQuote | backslash) &^ w
}

// wholeRunes is where a run of text ends without its last character, if a turn is due in the midst of that.
func wholeRunes(doc []byte, begin, end int) int {
	i := end
	for i < len(doc) && i > begin && end-i < utf8.UTFMax-1 && !utf8.RuneStart(doc[i]) {
		i--
	}
	return i
}

func (c *cursor) escape(i int) int {
	if i+1 == len(c.doc) {
		return -1
	}
	switch c.doc[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		return c.unicode(i)
	}
	return -1
}

// unicode passes the escape of a character, which takes two if it is a pair of surrogates. Half a pair has no UTF-8, and is refused
// where everything else is that is none.
func (c *cursor) unicode(i int) int {
	high, i := unit(c.doc, i)
	if i < 0 || c.said || !utf16.IsSurrogate(high) {
		return i
	}
	low, i := unit(c.doc, i)
	if i < 0 || utf16.DecodeRune(high, low) == unicode.ReplacementChar {
		return -1
	}
	return i
}

// unit reads an escape that is a unit of UTF-16.
func unit(doc []byte, i int) (unit rune, end int) {
	const digits = 4
	begin := i + len(`\u`)
	end = begin + digits
	if end > len(doc) || string(doc[i:begin]) != `\u` {
		return 0, -1
	}
	for _, d := range doc[begin:end] {
		if d|0x20 < 'a' || d|0x20 > 'f' {
			if d < '0' || d > '9' {
				return 0, -1
			}
		}
	}
	return hexadecimal(doc[begin:end]), end
}
