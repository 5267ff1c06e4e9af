package expr

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// segment is a piece of a template's text: literal text with its escapes resolved, or the source of an expression.
type segment struct {
	text   string
	isExpr bool
	offset int // of an expression within the template, in bytes
}

// lex splits a template. `${` begins an expression, which ends at the brace that closes it: braces within, within CEL's
// strings and within its comments do not. `$${` is a literal `${`; every other `$` stands for itself.
func lex(src string) ([]segment, *Error) {
	var segments []segment
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			segments = append(segments, segment{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(src); {
		switch rest := src[i:]; {
		case strings.HasPrefix(rest, "$${"):
			literal.WriteString("${")
			i += len("$${")
		case strings.HasPrefix(rest, "${"):
			flush()
			start := i + len("${")
			end, err := closing(src, start)
			if err != nil {
				return nil, err
			}
			if strings.TrimSpace(src[start:end]) == "" {
				return nil, newError(src, i, "the expression is empty, want one between ${ and }")
			}
			segments = append(segments, segment{text: src[start:end], isExpr: true, offset: start})
			i = end + len("}")
		default:
			literal.WriteByte(src[i])
			i++
		}
	}
	flush()
	return segments, nil
}

// doubleBraces are a variable in the braces of other languages of templates.
var doubleBraces = regexp.MustCompile(`\{\{-?[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*(?:\.|\[|\}\}|\|)`)

// foreign refuses literal text that reads a variable as other languages of templates do. Other double braces are text like any.
func (e *Env) foreign(src, literal string) error {
	for _, at := range doubleBraces.FindAllStringSubmatchIndex(literal, -1) {
		name := literal[at[2]:at[3]]
		if _, declared := e.vars[name]; declared {
			return newError(src, max(0, strings.Index(src, literal[at[0]:at[1]])), fmt.Sprintf(
				"{{%s is text, not an expression: write ${%s…}, and ${\"{{\"} for two braces", name, name))
		}
	}
	return nil
}

// closing finds the brace that ends the expression beginning at start.
func closing(src string, start int) (int, *Error) {
	depth := 0
	for i := start; i < len(src); {
		switch c := src[i]; {
		case c == '{':
			depth++
			i++
		case c == '}' && depth == 0:
			return i, nil
		case c == '}':
			depth--
			i++
		case c == '"' || c == '\'':
			end := stringEnd(src, i, isRaw(src[start:i]))
			if end < 0 {
				return 0, newError(src, i, "the string in this expression is not closed, want a quote at its end")
			}
			i = end
		case c == '`':
			length := strings.IndexByte(src[i+1:], '`')
			if length < 0 {
				return 0, newError(src, i, "the quoted name in this expression is not closed, want a quote at its end")
			}
			i += length + 2
		case strings.HasPrefix(src[i:], "//"):
			length := strings.IndexByte(src[i:], '\n')
			if length < 0 {
				length = len(src) - i
			}
			i += length
		default:
			i++
		}
	}
	return 0, newError(src, start-len("${"), "the expression has no closing }, want one at its end")
}

// stringEnd gives the offset after the CEL string literal that begins at i, or -1 (CEL's language definition, "String and
// Bytes Values": one or three quotes; no line breaks within one; no escapes where raw).
func stringEnd(src string, i int, raw bool) int {
	quote := src[i : i+1]
	long := strings.HasPrefix(src[i:], strings.Repeat(quote, 3))
	if long {
		quote = strings.Repeat(quote, 3)
	}
	for j := i + len(quote); j < len(src); {
		switch {
		case strings.HasPrefix(src[j:], quote):
			return j + len(quote)
		case src[j] == '\\' && !raw:
			j += 2
		case !long && (src[j] == '\n' || src[j] == '\r'):
			return -1
		default:
			j++
		}
	}
	return -1
}

// isRaw reports whether what stands before a quote makes the string raw: r, br or rb, in either case.
func isRaw(before string) bool {
	word := before[len(strings.TrimRight(before, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")):]
	switch strings.ToLower(word) {
	case "r", "rb", "br":
		return true
	}
	return false
}

// newError points at a byte of a template.
func newError(src string, offset int, message string) *Error {
	return &Error{Column: utf8.RuneCountInString(src[:offset]) + 1, Message: message}
}
