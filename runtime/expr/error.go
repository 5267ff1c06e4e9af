package expr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Error is what is wrong with a template, or went wrong in one. It quotes the configuration, never what the expressions
// were applied to.
type Error struct {
	Path    string // in a Tree: RFC 6901 JSON pointer of the string; "" elsewhere
	Column  int    // 1-based, in characters from the start of the string
	Message string
	// Reason is what went wrong as the predicate of "an expression", without the expression; "" if one does not compile.
	Reason string
	// Reads is what the part of the expression reads that failed, if one was evaluated.
	Reads []Path

	cause error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("column %d: %s", e.Column, e.Message)
	}
	return fmt.Sprintf("at %s, column %d: %s", e.Path, e.Column, e.Message)
}

// Unwrap gives the context's error where that ended an evaluation, ErrSpent where a bound did, else nil.
func (e *Error) Unwrap() error { return e.cause }

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Field gives Path as the paths of a configuration's fields are written, to stand after the path of the document:
// `.content[0].text`. A name that would be unclear so stands in brackets and quotes.
func (e *Error) Field() string {
	var b strings.Builder
	for token := range jsontext.Pointer(e.Path).Tokens() {
		switch _, err := strconv.ParseUint(token, 10, 32); {
		case err == nil:
			b.WriteString("[" + token + "]")
		case plainName.MatchString(token):
			b.WriteString("." + token)
		default:
			b.WriteString("[" + strconv.Quote(token) + "]")
		}
	}
	return b.String()
}
