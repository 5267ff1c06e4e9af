package form

import (
	"net/url"
	goruntime "runtime"
	"strings"
	"unicode/utf8"
)

// pairs is how many members of a query are read before others get a turn: about 20 µs.
const pairs = 64

// ParseQuery reads a query, or a body, as an urlencoded form (WHATWG URL, section 5.1). As in frameworks and browsers, everything
// in it is read, and nothing silently dropped, because a default would then replace a value that the client sent. A percent sign
// that begins no escape is itself, and so is a semicolon.
func ParseQuery(raw string) url.Values {
	values := url.Values{}
	read := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if read++; read%pairs == 0 {
			goruntime.Gosched() // twenty long queries at once take turns with the streams of others
		}
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(pair, "+", " "), "=")
		values.Add(unescaped(name), unescaped(value))
	}
	return values
}

// unescaped looks at each byte once: a query is read before its request has waited for a worker.
func unescaped(s string) string {
	decoded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexadecimal(s[i+1]) && hexadecimal(s[i+2]) {
			decoded = append(decoded, digit(s[i+1])<<4|digit(s[i+2]))
			i += 2
			continue
		}
		decoded = append(decoded, s[i])
	}
	return Valid(string(decoded))
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// digit is the value of a hexadecimal digit: the last bits of letters, in either case, are their number.
func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&7 + 9
}

// Valid replaces each byte that is not UTF-8 by U+FFFD, because JSON and expressions have no other texts.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
