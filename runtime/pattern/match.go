package pattern

import (
	"regexp/syntax"
	"slices"
	"sync"
	"unicode/utf8"
)

// Spend is called with the steps that a match has taken, every few microseconds. Its error ends the match.
type Spend func(steps int) error

// spendEvery is how many steps are taken between two looks at what may still be spent: some tens of microseconds.
const spendEvery = 4096

// machine follows all ways through an automaton at once.
type machine struct {
	now, next []uint32 // instructions that wait for a character
	marks     []uint32 // by instruction: the last generation that came by
	gen       uint32
	stack     []uint32
	steps     int
}

var machines = sync.Pool{New: func() any { return &machine{} }}

// MatchString reports whether the text has a match. It is for texts of bounded length.
func (p *Pattern) MatchString(text string) bool {
	ok, _ := p.Match(text, func(int) error { return nil })
	return ok
}

// Match reports whether the text has a match. The error is spend's.
func (p *Pattern) Match(text string, spend Spend) (bool, error) {
	m := machines.Get().(*machine) //nolint:forcetypeassert // the pool holds nothing else
	defer machines.Put(m)
	m.reset(len(p.insts))
	found, err := m.run(p, text, spend)
	if err == nil && m.steps > 0 {
		err = spend(m.steps)
	}
	return found && err == nil, err
}

func (m *machine) reset(size int) {
	if len(m.marks) < size {
		m.marks, m.gen = make([]uint32, size), 0
	}
	m.now, m.next, m.steps = m.now[:0], m.next[:0], 0
}

// generation begins a new place in the text.
func (m *machine) generation() {
	m.gen++
	if m.gen == 0 {
		clear(m.marks)
		m.gen = 1
	}
}

func (m *machine) run(p *Pattern, text string, spend Spend) (bool, error) {
	r, width := decode(text, 0)
	flags := p.place(-1, r)
	m.generation()
	for at := 0; ; {
		if at == 0 || !p.anchored {
			if m.follow(p, p.start, flags) {
				return true, nil
			}
		}
		if width == 0 || len(m.next) == 0 && p.anchored {
			return false, nil
		}
		at += width
		before := r
		r, width = decode(text, at)
		flags = p.place(before, r)
		m.now, m.next = m.next, m.now[:0]
		m.generation()
		if m.advance(p, before, flags) {
			return true, nil
		}
		if m.steps++; m.steps >= spendEvery {
			if err := spend(m.steps); err != nil {
				return false, err
			}
			m.steps = 0
		}
	}
}

// place returns the kinds of a place between two characters.
func (p *Pattern) place(before, after rune) syntax.EmptyOp {
	switch {
	case p.contextual:
		return syntax.EmptyOpContext(before, after)
	case before < 0 && after < 0:
		return syntax.EmptyBeginText | syntax.EmptyEndText
	case before < 0:
		return syntax.EmptyBeginText
	case after < 0:
		return syntax.EmptyEndText
	}
	return 0
}

// decode gives the character at a place, and -1 at the end.
func decode(text string, at int) (rune, int) {
	switch {
	case at >= len(text):
		return -1, 0
	case text[at] < utf8.RuneSelf:
		return rune(text[at]), 1
	}
	return utf8.DecodeRuneInString(text[at:])
}

// advance takes the ways that lead over a character, and reports whether one has come to the end.
func (m *machine) advance(p *Pattern, r rune, flags syntax.EmptyOp) bool {
	for _, pc := range m.now {
		i := &p.insts[pc]
		if i.op == opRange && i.lo <= r && r <= i.hi || i.op == opClass && in(p.classes[i.arg], r) {
			if m.follow(p, i.out, flags) {
				return true
			}
		}
	}
	return false
}

// in reports whether a class, which is sorted, has a character.
func in(class []rune, r rune) bool {
	low, high := 0, len(class)/2 //nolint:mnd // each range has two ends
	for low < high {
		switch middle := (low + high) / 2; {
		case r < class[2*middle]:
			high = middle
		case r > class[2*middle+1]:
			low = middle + 1
		default:
			return true
		}
	}
	return false
}

// follow goes on from an instruction to all that wait for a character, and reports whether the end was among them.
func (m *machine) follow(p *Pattern, pc uint32, flags syntax.EmptyOp) bool {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc = m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if m.marks[pc] == m.gen {
			continue
		}
		m.marks[pc] = m.gen
		m.steps++
		switch i := &p.insts[pc]; i.op {
		case opRange, opClass:
			m.next = append(m.next, pc)
		case opAlt:
			m.stack = append(m.stack, i.arg, i.out)
		case opEmpty:
			if i.empty&^flags == 0 {
				m.stack = append(m.stack, i.out)
			}
		case opMatch:
			return true
		case opFail:
		}
	}
	return false
}

// sortRanges sorts a class of single characters.
func sortRanges(class []rune) []rune {
	slices.Sort(class)
	return class
}
