package schema

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The names and places of syntax errors are those of Python's json module, because FastAPI puts them into its
// answers: the first character that cannot be, or the quote of a string without an end.
const (
	wantValue     = "Expecting value"
	wantName      = "Expecting property name enclosed in double quotes"
	wantColon     = "Expecting ':' delimiter"
	wantComma     = "Expecting ',' delimiter"
	endlessString = "Unterminated string starting at"
	badEscape     = `Invalid \escape`
	badHex        = `Invalid \uXXXX escape`
	badControl    = "Invalid control character at"
	extraData     = "Extra data"
)

// mistake is a syntax error at a byte of the text.
type mistake struct {
	offset int
	reason string
}

// reader finds the first mistake in a text that is known to have one, of a depth that is known to be bounded.
type reader struct {
	text string
	at   int
}

// syntaxError gives the place of the first mistake in a text, in characters, and its name; "" if there is none.
func syntaxError(text []byte) (position int, reason string) {
	r := reader{text: string(text)}
	m := r.document()
	if m == nil {
		return 0, ""
	}
	return utf8.RuneCountInString(r.text[:m.offset]), m.reason
}

func (r *reader) wrong(reason string) *mistake { return &mistake{r.at, reason} }

// next skips white space and gives the byte that follows, 0 at the end.
func (r *reader) next() byte {
	r.at += len(r.text[r.at:]) - len(strings.TrimLeft(r.text[r.at:], " \t\n\r"))
	return r.here()
}

func (r *reader) here() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *reader) document() *mistake {
	r.next()
	if m := r.value(); m != nil {
		return m
	}
	if r.next(); r.at < len(r.text) {
		return r.wrong(extraData)
	}
	return nil
}

// word is a value that is neither a string nor has parts. A number ends where it stops being one.
var word = regexp.MustCompile(`^(?:null|true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)`)

func (r *reader) value() *mistake {
	switch r.here() {
	case '"':
		return r.str()
	case '{':
		return r.list('}', r.member)
	case '[':
		return r.list(']', r.value)
	}
	length := len(word.FindString(r.text[r.at:]))
	if length == 0 {
		return r.wrong(wantValue)
	}
	r.at += length
	return nil
}

// list reads what stands between brackets.
func (r *reader) list(end byte, item func() *mistake) *mistake {
	r.at++
	if r.next() == end {
		r.at++
		return nil
	}
	for {
		if m := item(); m != nil {
			return m
		}
		switch r.next() {
		case end:
			r.at++
			return nil
		case ',':
			r.at++
			r.next()
		default:
			return r.wrong(wantComma)
		}
	}
}

func (r *reader) member() *mistake {
	if r.here() != '"' {
		return r.wrong(wantName)
	}
	if m := r.str(); m != nil {
		return m
	}
	if r.next() != ':' {
		return r.wrong(wantColon)
	}
	r.at++
	r.next()
	return r.value()
}

func (r *reader) str() *mistake {
	begin := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return nil
		case c == '\\':
			if m := r.escape(begin); m != nil {
				return m
			}
		case c < ' ':
			return r.wrong(badControl)
		}
	}
	return &mistake{begin, endlessString}
}

// A string goes on after an escape.
var hex = regexp.MustCompile(`(?s)^u[0-9A-Fa-f]{4}.`)

// escape reads from the backslash to the last character of an escape.
func (r *reader) escape(begin int) *mistake {
	r.at++
	switch c := r.here(); {
	case r.at == len(r.text):
		return &mistake{begin, endlessString}
	case c != 'u' && strings.IndexByte(`"\/bfnrt`, c) < 0:
		r.at--
		return r.wrong(badEscape)
	case c == 'u' && !hex.MatchString(r.text[r.at:]):
		return r.wrong(badHex)
	case c == 'u':
		r.at += 4
	}
	return nil
}
