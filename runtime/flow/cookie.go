package flow

import (
	"net/http"
	"strings"

	"github.com/llmservice/llmservice/runtime/form"
)

// cookieValues are a request's values for a cookie, in their order. They are read as browsers and Starlette read them, because
// servers write more than RFC 6265 allows: a cookie ends at the next semicolon, whatever it has before that.
func cookieValues(h http.Header, name string) []string {
	var values []string
	for _, line := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			called, value, ok := strings.Cut(cookie, "=")
			if ok && strings.TrimSpace(called) == name {
				values = append(values, form.Valid(unquotedCookie(strings.TrimSpace(value))))
			}
		}
	}
	return values
}

// unquotedCookie is the value of a cookie without the quotes that Python's http.cookies puts around one: within them, a backslash
// stands before a character, or before the three octal digits of one.
func unquotedCookie(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	value = value[1 : len(value)-1]
	var plain strings.Builder
	for {
		before, after, escaped := strings.Cut(value, `\`)
		plain.WriteString(before)
		if !escaped || after == "" {
			plain.WriteString(value[len(before):])
			return plain.String()
		}
		if octal, ok := octalOf(after); ok {
			plain.WriteRune(octal)
			value = after[3:]
			continue
		}
		plain.WriteByte(after[0])
		value = after[1:]
	}
}

// octalOf is the character that three octal digits stand for, of those of Latin-1.
func octalOf(text string) (rune, bool) {
	if len(text) < 3 || text[0] > '3' {
		return 0, false
	}
	var c rune
	for i := range 3 {
		if text[i] < '0' || text[i] > '7' {
			return 0, false
		}
		c = c<<3 | rune(text[i]-'0')
	}
	return c, true
}
