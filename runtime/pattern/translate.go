package pattern

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// What ECMA-262 writes differently from RE2, or means by the same text, and how it is translated:
//
//	\uXXXX, \u{X…}  the character; a pair of surrogates is one character, as the flag u has it
//	\cX             the control character
//	[\b]            a backspace
//	\s, \S          ECMA-262's white space, which is Unicode's and U+FEFF; RE2 knows that of ASCII only
//
// \d, \w and \b are ASCII's in both. A full stop leaves out the line feed alone, as in RE2, Rust and Python, and not
// ECMA-262's three other line terminators. A ] that comes first in a class is a character, as in RE2. What ECMA-262 has and
// RE2 cannot do, such as look-ahead, back-references and \p{Script=Greek}, RE2 refuses.
func translate(source string) string {
	t := translator{rest: source}
	for t.rest != "" {
		t.next()
	}
	return t.out.String()
}

type translator struct {
	out     strings.Builder
	rest    string
	inClass bool
}

func (t *translator) next() {
	switch c := t.rest[0]; {
	case c == '\\' && len(t.rest) > 1:
		t.escape()
	case c == '[' && !t.inClass:
		t.inClass = true
		t.copy(1)
		if strings.HasPrefix(t.rest, "^") {
			t.copy(1)
		}
		if strings.HasPrefix(t.rest, "]") {
			t.copy(1)
		}
	case c == '[' && strings.HasPrefix(t.rest, "[:") && strings.Contains(t.rest, ":]"):
		t.copy(strings.Index(t.rest, ":]") + len(":]"))
	default:
		t.inClass = t.inClass && c != ']'
		t.copy(1)
	}
}

func (t *translator) copy(n int) { t.replace(n, t.rest[:n]) }

func (t *translator) replace(n int, by string) {
	t.out.WriteString(by)
	t.rest = t.rest[n:]
}

func (t *translator) escape() {
	switch c := t.rest[1]; {
	case c == 'u':
		if r, n := unicodeEscape(t.rest); n > 0 {
			t.replace(n, fmt.Sprintf(`\x{%x}`, r))
			return
		}
	case c == 'c' && len(t.rest) > 2 && isLetter(t.rest[2]):
		t.replace(3, fmt.Sprintf(`\x{%x}`, t.rest[2]%32)) //nolint:mnd // ECMA-262, section 22.2.2.4
		return
	case c == 'b' && t.inClass:
		t.replace(2, `\x{8}`)
		return
	case c == 's':
		t.replace(2, t.class(space))
		return
	case c == 'S':
		t.replace(2, t.class(notSpace))
		return
	case c == 'Q' && !t.inClass:
		quoted, _, _ := strings.Cut(t.rest, `\E`)
		t.copy(len(quoted))
		return
	}
	t.copy(1)
	t.copy(len(firstRune(t.rest)))
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// White space and line terminators in ECMA-262, sections 12.2 and 12.3, and all that is neither, as parts of a class.
const (
	space = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

	notSpace = `\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}` +
		`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
)

func (t *translator) class(parts string) string {
	if t.inClass {
		return parts
	}
	return "[" + parts + "]"
}

// unicodeEscape reads \uXXXX, a pair of these, or \u{X…}, and gives the length of what it read, or 0.
func unicodeEscape(s string) (r rune, length int) {
	if braced, ok := strings.CutPrefix(s, `\u{`); ok {
		digits, _, closed := strings.Cut(braced, "}")
		n, err := strconv.ParseUint(digits, 16, 32)
		if !closed || err != nil || n > unicode.MaxRune {
			return 0, 0
		}
		return rune(n), len(`\u{}`) + len(digits)
	}
	first, ok := codeUnit(s)
	if !ok {
		return 0, 0
	}
	const one = len(`\uXXXX`)
	if second, ok := codeUnit(s[one:]); ok {
		if pair := utf16.DecodeRune(first, second); pair != unicode.ReplacementChar {
			return pair, 2 * one
		}
	}
	return first, one
}

func codeUnit(s string) (rune, bool) {
	const begins, digits = `\u`, 4
	if !strings.HasPrefix(s, begins) || len(s) < len(begins)+digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[len(begins):len(begins)+digits], 16, 16)
	return rune(n), err == nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
