package rawjson

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Quote writes s as a JSON string.
func Quote(s string) []byte { return AppendQuote(nil, s) }

// AppendQuote appends text as a JSON string, which has no line ends. Bytes that are not UTF-8 are replaced.
func AppendQuote[T ~[]byte | ~string](dst []byte, text T) []byte {
	quoted, _ := AppendValid(dst, text) // the error is of those bytes alone
	return quoted
}

// AppendValid does the same, and returns an error if bytes were replaced.
func AppendValid[T ~[]byte | ~string](dst []byte, text T) ([]byte, error) {
	dst = append(slices.Grow(dst, len(text)+len(`""`)), '"')
	for {
		plain := plainBytes(text)
		dst = append(dst, text[:plain]...)
		if text = text[plain:]; len(text) == 0 {
			return append(dst, '"'), nil
		}
		short := shortEscape(text[0])
		if short == 0 {
			return appendRest(dst, text)
		}
		dst, text = append(dst, '\\', short), text[1:]
	}
}

// appendRest appends the rest of a string, which jsontext writes with a quote before it: that takes the place of the last byte for
// a moment.
func appendRest[T ~[]byte | ~string](dst []byte, text T) ([]byte, error) {
	at := len(dst) - 1
	last := dst[at]
	dst, err := jsontext.AppendQuote(dst[:at], text)
	dst[at] = last
	return dst, err //nolint:wrapcheck // callers say what is not UTF-8
}

// shortEscape is the second character of the escape that most writers use for a character (RFC 8259, section 7); 0 if that
// takes more than looking at one byte.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// plainBytes is how many of the first bytes stand in a JSON string as they are, and are ASCII. It looks at eight at a time: a byte
// of one of the differences below has its highest bit set if the byte of the text is a control character, a quote or a backslash,
// or if a byte before it is.
func plainBytes[T ~[]byte | ~string](text T) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		b := text[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		control, quote, backslash := w-each*' ', (w^each*'"')-each, (w^each*'\\')-each
		if (w|control|quote|backslash)&highest != 0 {
			break
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			break
		}
	}
	return i
}
