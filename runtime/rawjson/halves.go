package rawjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Servers cut text into chunks where they like, also between the two \u escapes of one character. So half of a surrogate
// pair stays in the text as WTF-8 has it (https://simonsapin.github.io/wtf-8/): three bytes that no UTF-8 has, until the
// other half follows, or nothing does.
const (
	HalfBytes  = 3
	halfBegin  = 0xED // of a half's first byte
	halfSecond = 0xA0 // the least second byte of a half: below are the last characters before the surrogates
	lowSecond  = 0xB0 // the least second byte of a low half
)

// Replacement is U+FFFD, which takes as many bytes as a half.
const Replacement = "\uFFFD"

// AppendString appends what a JSON string says. Half of a pair that ends dst is joined with the half that the string begins
// with; other halves stay as they are. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst, quoted []byte) []byte {
	begin := len(dst)
	said, err := jsontext.AppendUnquote(dst, quoted)
	if err != nil {
		said = appendHalves(dst, quoted[1:len(quoted)-1])
	}
	return join(said, begin)
}

// AppendText appends a piece of text that may begin and end with halves.
func AppendText(dst, text []byte) []byte { return join(append(dst, text...), len(dst)) }

// join makes one character of the halves on both sides of a place.
func join(text []byte, at int) []byte {
	if !HighHalf(text[:at]) || !lowHalf(text[at:]) {
		return text
	}
	both := utf16.DecodeRune(half(text[at-HalfBytes:]), half(text[at:]))
	rest := text[at+HalfBytes:]
	return append(utf8.AppendRune(text[:at-HalfBytes], both), rest...)
}

// half reads a half as WTF-8 has it.
func half(text []byte) rune { return 0xD000 | rune(text[1]&0x3F)<<6 | rune(text[2]&0x3F) }

// HighHalf reports whether a text ends with the first half of a pair.
func HighHalf(text []byte) bool {
	n := len(text) - HalfBytes
	return n >= 0 && text[n] == halfBegin && text[n+1] >= halfSecond && text[n+1] < lowSecond
}

// lowHalf reports whether a text begins with the second half of a pair.
func lowHalf(text []byte) bool {
	return len(text) >= HalfBytes && text[0] == halfBegin && text[1] >= lowSecond
}

// Settle puts U+FFFD in place of the halves that nothing was joined to.
func Settle(text []byte) []byte {
	for at := 0; ; at += HalfBytes {
		next := bytes.IndexByte(text[at:], halfBegin)
		if next < 0 || len(text)-at-next < HalfBytes {
			return text
		}
		at += next
		if text[at+1] >= halfSecond {
			copy(text[at:], Replacement)
		}
	}
}

// appendHalves appends what stands between the quotes of a valid JSON string, halves of pairs included.
func appendHalves(dst, inner []byte) []byte {
	for len(inner) > 0 {
		r, size := utf8.DecodeRune(inner)
		switch {
		case inner[0] == '\\' && inner[1] == 'u':
			size = 6
			dst = join(appendUnit(dst, hexadecimal(inner[2:6])), len(dst))
		case inner[0] == '\\':
			size = 2
			dst = append(dst, escaped(inner[1]))
		default:
			dst = utf8.AppendRune(dst, r)
		}
		inner = inner[size:]
	}
	return dst
}

// appendUnit appends a unit of UTF-16.
func appendUnit(dst []byte, unit rune) []byte {
	if !utf16.IsSurrogate(unit) {
		return utf8.AppendRune(dst, unit)
	}
	return append(dst, halfBegin, 0x80|byte(unit>>6&0x3F), 0x80|byte(unit&0x3F))
}

func hexadecimal(digits []byte) (n rune) {
	for _, c := range digits {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		n = n<<4 | rune(c)
	}
	return n
}

// escaped is the character of a short escape (RFC 8259, section 7).
func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
