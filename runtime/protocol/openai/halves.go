package openai

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
	halfBytes  = 3
	halfBegin  = 0xED // of a half's first byte
	halfSecond = 0xA0 // the least second byte of a half: below are the last characters before the surrogates
	lowSecond  = 0xB0 // the least second byte of a low half
)

// replacement is U+FFFD, which takes as many bytes as a half.
const replacement = "\uFFFD"

// appendString appends what a JSON string says. Half of a pair that ends dst is joined with the half that the string begins
// with; other halves stay as they are. Invalid UTF-8 becomes U+FFFD.
func appendString(dst, quoted []byte) []byte {
	begin := len(dst)
	said, err := jsontext.AppendUnquote(dst, quoted)
	if err != nil {
		said = appendHalves(dst, quoted[1:len(quoted)-1])
	}
	return join(said, begin)
}

// appendText appends a piece of text that may begin and end with halves.
func appendText(dst, text []byte) []byte { return join(append(dst, text...), len(dst)) }

// join makes one character of the halves on both sides of a place.
func join(text []byte, at int) []byte {
	if !highHalf(text[:at]) || !lowHalf(text[at:]) {
		return text
	}
	both := utf16.DecodeRune(half(text[at-halfBytes:]), half(text[at:]))
	rest := text[at+halfBytes:]
	return append(utf8.AppendRune(text[:at-halfBytes], both), rest...)
}

// half reads a half as WTF-8 has it.
func half(text []byte) rune { return 0xD000 | rune(text[1]&0x3F)<<6 | rune(text[2]&0x3F) }

// highHalf says whether a text ends with the first half of a pair.
func highHalf(text []byte) bool {
	n := len(text) - halfBytes
	return n >= 0 && text[n] == halfBegin && text[n+1] >= halfSecond && text[n+1] < lowSecond
}

// lowHalf says whether a text begins with the second half of a pair.
func lowHalf(text []byte) bool {
	return len(text) >= halfBytes && text[0] == halfBegin && text[1] >= lowSecond
}

// settle puts U+FFFD in the place of the halves that nothing was joined to.
func settle(text []byte) []byte {
	for at := 0; ; at += halfBytes {
		next := bytes.IndexByte(text[at:], halfBegin)
		if next < 0 || len(text)-at-next < halfBytes {
			return text
		}
		at += next
		if text[at+1] >= halfSecond {
			copy(text[at:], replacement)
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
