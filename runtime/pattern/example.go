package pattern

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxExample bounds the text that Example makes, in bytes.
const MaxExample = 1 << 10

// alphabets are the characters of examples, in turn, as far as a class has them.
var alphabets = []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "1234567890", "-_.:/ "}

// Example makes a text that the pattern matches, of at least so many characters if the pattern has one; which of several is as
// variant says. It is not ok if none was found, which a pattern with a place such as \b may cause.
func (p *Pattern) Example(least, variant int) (string, bool) {
	tree, err := syntax.Parse(translate(p.source), syntax.Perl)
	if err != nil {
		return "", false
	}
	for repeats := 1; repeats <= MaxExample; repeats *= 2 {
		w := writer{repeats: repeats, next: variant}
		w.write(tree)
		text := w.text.String()
		switch long := utf8.RuneCountInString(text); {
		case w.overflows:
			return "", false
		case long >= least:
			return text, p.MatchString(text)
		}
	}
	return "", false
}

// writer writes a text that an expression matches.
type writer struct {
	text      strings.Builder
	repeats   int // how often what may be repeated without an end is
	next      int // which character of an alphabet is next
	steps     int
	overflows bool
}

// stepsOfExample bounds the parts of a pattern that are looked at for one text: those that match nothing add no bytes to it.
const stepsOfExample = 16 * MaxExample

func (w *writer) write(re *syntax.Regexp) {
	w.steps++
	if w.overflows = w.overflows || w.text.Len() > MaxExample || w.steps > stepsOfExample; w.overflows {
		return
	}
	least, most := 1, 1
	switch re.Op { //nolint:exhaustive // the others are groups and sequences, or match no character
	case syntax.OpNoMatch:
		w.overflows = true
	case syntax.OpLiteral:
		w.text.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		w.text.WriteRune(w.oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.text.WriteRune(w.oneOf([]rune{'a', 'z'}))
	case syntax.OpAlternate:
		w.write(re.Sub[0])
		return
	case syntax.OpStar, syntax.OpPlus:
		most = MaxExample
	case syntax.OpQuest:
		least = 0
	case syntax.OpRepeat:
		least, most = re.Min, re.Max
		if most < 0 {
			most = MaxExample
		}
	}
	for range min(max(least, w.repeats), most) {
		for _, part := range re.Sub {
			w.write(part)
		}
	}
}

// oneOf takes the next character of the first alphabet that the class has one of.
func (w *writer) oneOf(class []rune) rune {
	for _, alphabet := range alphabets {
		all := slices.DeleteFunc([]rune(alphabet), func(r rune) bool { return !in(class, r) })
		if len(all) > 0 {
			w.next++
			return all[(w.next-1)%len(all)]
		}
	}
	if len(class) == 0 {
		w.overflows = true
		return 0
	}
	return class[0]
}
