// Package pattern matches text against regular expressions, in bounded time and memory.
//
// Package regexp runs in time that is linear in the text, times the size of the automaton, and looks at no deadline: a
// pattern of twenty bytes and a text of a megabyte take minutes. Here the size of an automaton is reckoned before it is
// made, the work of a match is counted while it goes on, and the caller may end it at any time.
//
// The syntax is RE2's, as package regexp has it, without look-ahead and back-references. Compile takes in addition what
// ECMA-262 writes differently, since JSON Schema's patterns are in that dialect; see translate.go.
package pattern

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxBytes bounds the text of one pattern. Every time zone's name takes 9.1 KB.
	MaxBytes = 16 << 10
	// MaxSize bounds the automaton of one pattern, in its instructions. A pattern of MaxBytes without counted repetitions
	// stays below it.
	MaxSize = 20_000
)

// What makes reading a pattern expensive, regardless of its length, as a number of instructions: a Unicode class takes a kilobyte,
// ECMA-262's white space is longer than its name, and a range without regard to case that goes beyond ASCII takes milliseconds.
const (
	weightOfTable = 100
	weightOfSpace = 15
	weightOfRange = 5000
)

// Pattern is a compiled regular expression. It is immutable and may be used from many goroutines at once.
type Pattern struct {
	source     string
	insts      []inst
	classes    [][]rune
	start      uint32
	anchored   bool // every match begins at the beginning of the text
	contextual bool // asks for more of a place than whether the text begins or ends there
}

// Parsed is a pattern of known size that has not been compiled.
type Parsed struct {
	source string
	tree   *syntax.Regexp
	size   int
}

// Parse reads a pattern of JSON Schema: ECMA-262 with the flag u, in so far as RE2 can do what it asks for.
func Parse(source string) (*Parsed, error) { return parse(source, translate) }

// ParseRE2 reads a pattern in RE2's own syntax, as CEL has it.
func ParseRE2(source string) (*Parsed, error) {
	return parse(source, func(s string) string { return s })
}

func parse(source string, translate func(string) string) (*Parsed, error) {
	if len(source) > MaxBytes {
		return nil, fmt.Errorf("is longer than %d bytes, want a shorter one", MaxBytes)
	}
	weight := Weight(source)
	if weight > MaxSize {
		return nil, errLarge
	}
	tree, err := syntax.Parse(translate(source), syntax.Perl)
	if err != nil {
		return nil, notRE2(err)
	}
	p := &Parsed{source: source, tree: tree, size: max(weight, sizeOf(tree))}
	if p.size > MaxSize {
		return nil, errLarge
	}
	return p, nil
}

// notRE2 returns an error for what RE2 cannot read.
func notRE2(err error) error {
	if e, ok := errors.AsType[*syntax.Error](err); ok && e.Code == syntax.ErrLarge {
		return errors.New("is too large, want fewer repetitions")
	}
	return fmt.Errorf("is not a regular expression, want RE2's syntax: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

var errLarge = fmt.Errorf("compiles to more than %d instructions, want fewer repetitions or forms", MaxSize)

// Weight is an estimate of what reading a pattern takes, as a number of instructions, before anything is read.
func Weight(source string) int {
	return len(source)/8 + weightOfRange*foldedRanges(source) + //nolint:mnd // reading is faster than matching
		weightOfTable*(strings.Count(source, `\p`)+strings.Count(source, `\P`)) +
		weightOfSpace*(strings.Count(source, `\s`)+strings.Count(source, `\S`))
}

// foldedRanges counts the ranges that may go beyond ASCII in a pattern without regard to case.
func foldedRanges(source string) int {
	if !foldsCase(source) {
		return 0
	}
	wide := 0
	for i := 1; i < len(source); i++ {
		if source[i-1] == '-' && (source[i] == '\\' || source[i] >= utf8.RuneSelf) {
			wide++
		}
	}
	return wide
}

// foldsCase reports whether a group of flags has an i.
func foldsCase(source string) bool {
	for {
		_, after, found := strings.Cut(source, "(?")
		if !found {
			return false
		}
		flags := after[:len(after)-len(strings.TrimLeft(after, "imsU-"))]
		if strings.Contains(flags, "i") {
			return true
		}
		source = after
	}
}

// Size is how many instructions the automaton has. Matching a text takes at most about as many steps as the text has
// characters, times the size.
func (p *Parsed) Size() int { return p.size }

// Compile makes the automaton.
func (p *Parsed) Compile() *Pattern {
	c := compiler{insts: make([]inst, 0, p.size+2), folds: map[rune]int32{}}
	match := c.add(inst{op: opMatch})
	start := c.emit(p.tree, match)
	return &Pattern{
		source: p.source, insts: c.insts, classes: c.classes, start: start, anchored: isAnchored(p.tree),
		contextual: slices.ContainsFunc(c.insts, func(i inst) bool {
			return i.empty&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0
		}),
	}
}

// Compile reads and compiles a pattern of JSON Schema.
func Compile(source string) (*Pattern, error) {
	p, err := Parse(source)
	if err != nil {
		return nil, err
	}
	return p.Compile(), nil
}

// String gives the pattern as it was written.
func (p *Pattern) String() string { return p.source }

// Size is as Parsed's.
func (p *Pattern) Size() int { return len(p.insts) }

// isAnchored reports whether every match begins at the beginning of the text.
func isAnchored(re *syntax.Regexp) bool {
	switch re.Op { //nolint:exhaustive // no other has to begin there
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return isAnchored(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !isAnchored(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// sizeOf reckons with what compiling would make, and stops counting beyond what is allowed.
func sizeOf(re *syntax.Regexp) int {
	size := 0
	for _, sub := range re.Sub {
		size = min(size+sizeOf(sub), MaxSize+1)
	}
	switch re.Op { //nolint:exhaustive // the others take what their parts take
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/rangesPerInst
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		size++
	case syntax.OpAlternate:
		size += len(re.Sub)
	case syntax.OpRepeat:
		if re.Max < 0 {
			size = size*max(re.Min, 1) + 1
		} else {
			size = size*re.Max + re.Max - re.Min
		}
	case syntax.OpNoMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		size = 1
	}
	return min(size, MaxSize+1)
}

// rangesPerInst of a class, a lower and an upper end each, take about the memory of an instruction.
const rangesPerInst = 6

type op uint8

const (
	opRange op = iota // a character from lo to hi
	opClass           // a character of a class
	opAlt             // goes on at out and at arg
	opEmpty           // goes on at out if the place is of the kind
	opMatch
	opFail
)

// inst is one instruction of an automaton.
type inst struct {
	op       op
	empty    syntax.EmptyOp
	out, arg uint32 // arg is the class of an opClass
	lo, hi   rune
}

// compiler emits instructions from the end of a pattern to its beginning, so that what follows is always known.
type compiler struct {
	insts   []inst
	classes [][]rune
	folds   map[rune]int32 // classes of letters without regard to case
}

func (c *compiler) add(i inst) uint32 {
	c.insts = append(c.insts, i)
	return uint32(len(c.insts) - 1) //nolint:gosec // at most MaxSize
}

// places are the operators that match without taking a rune.
var places = map[syntax.Op]syntax.EmptyOp{
	syntax.OpBeginLine: syntax.EmptyBeginLine, syntax.OpEndLine: syntax.EmptyEndLine,
	syntax.OpBeginText: syntax.EmptyBeginText, syntax.OpEndText: syntax.EmptyEndText,
	syntax.OpWordBoundary: syntax.EmptyWordBoundary, syntax.OpNoWordBoundary: syntax.EmptyNoWordBoundary,
}

// emit gives the instruction at which a match of re begins that goes on at next.
func (c *compiler) emit(re *syntax.Regexp, next uint32) uint32 {
	if place, ok := places[re.Op]; ok {
		return c.add(inst{op: opEmpty, empty: place, out: next})
	}
	switch re.Op { //nolint:exhaustive // the others are places
	case syntax.OpNoMatch:
		return c.add(inst{op: opFail})
	case syntax.OpEmptyMatch:
		return next
	case syntax.OpLiteral:
		return c.literal(re, next)
	case syntax.OpCharClass:
		return c.class(re.Rune, next)
	case syntax.OpAnyCharNotNL:
		return c.class([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}, next)
	case syntax.OpAnyChar:
		return c.add(inst{op: opRange, hi: unicode.MaxRune, out: next})
	case syntax.OpCapture:
		return c.emit(re.Sub[0], next)
	case syntax.OpStar:
		return c.repeat(re.Sub[0], 0, -1, next)
	case syntax.OpPlus:
		return c.repeat(re.Sub[0], 1, -1, next)
	case syntax.OpQuest:
		return c.repeat(re.Sub[0], 0, 1, next)
	case syntax.OpRepeat:
		return c.repeat(re.Sub[0], re.Min, re.Max, next)
	case syntax.OpConcat:
		for _, sub := range slices.Backward(re.Sub) {
			next = c.emit(sub, next)
		}
		return next
	case syntax.OpAlternate:
		first := c.emit(re.Sub[len(re.Sub)-1], next)
		for i := len(re.Sub) - 2; i >= 0; i-- {
			first = c.add(inst{op: opAlt, out: c.emit(re.Sub[i], next), arg: first})
		}
		return first
	}
	return c.add(inst{op: opFail})
}

// repeat emits from least to most copies; -1 is without an end.
func (c *compiler) repeat(re *syntax.Regexp, least, most int, next uint32) uint32 {
	at := next
	if most < 0 {
		again := c.add(inst{op: opAlt, arg: next})
		at = c.emit(re, again)
		c.insts[again].out = at
		if least == 0 {
			return again
		}
		least--
	}
	for range most - least {
		at = c.add(inst{op: opAlt, out: c.emit(re, at), arg: next})
	}
	for range least {
		at = c.emit(re, at)
	}
	return at
}

func (c *compiler) literal(re *syntax.Regexp, next uint32) uint32 {
	for _, r := range slices.Backward(re.Rune) {
		if re.Flags&syntax.FoldCase == 0 || unicode.SimpleFold(r) == r {
			next = c.add(inst{op: opRange, lo: r, hi: r, out: next})
			continue
		}
		next = c.add(inst{op: opClass, arg: c.fold(r), out: next})
	}
	return next
}

// fold gives the class of a letter in all its cases.
func (c *compiler) fold(r rune) uint32 {
	k, ok := c.folds[r]
	if !ok {
		class := []rune{r, r}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			class = append(class, other, other)
		}
		k = int32(len(c.classes)) //nolint:gosec // at most MaxSize
		c.folds[r] = k
		c.classes = append(c.classes, sortRanges(class))
	}
	return uint32(k)
}

func (c *compiler) class(ranges []rune, next uint32) uint32 {
	switch len(ranges) {
	case 0:
		return c.add(inst{op: opFail})
	case 2: //nolint:mnd // one range
		return c.add(inst{op: opRange, lo: ranges[0], hi: ranges[1], out: next})
	}
	if n := len(c.classes); n == 0 || &c.classes[n-1][0] != &ranges[0] { // copies of one class stand in a row
		c.classes = append(c.classes, ranges)
	}
	return c.add(inst{op: opClass, arg: uint32(len(c.classes) - 1), out: next}) //nolint:gosec // at most MaxSize
}
