package flow

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// parseQuery reads a query as a form (WHATWG URL, section 5.1): whatever stands there is read, as frameworks and browsers do, and
// nothing dropped in silence, for a default would then take the place of what a client sent. A percent sign that begins no
// escape is one, a semicolon too.
func parseQuery(raw string) url.Values {
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(pair, "+", " "), "=")
		values.Add(unescaped(name), unescaped(value))
	}
	return values
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func unescaped(s string) string {
	decoded := escape.ReplaceAllStringFunc(s, func(e string) string {
		b, err := url.PathUnescape(e)
		if err != nil {
			return e
		}
		return b
	})
	return valid(decoded)
}

// valid puts U+FFFD in the place of each byte that is not UTF-8: JSON and expressions have no other texts.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
