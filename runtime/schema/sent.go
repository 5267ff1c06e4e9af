package schema

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// spot is a place in a text at or below which violations lie, and its position among the members of its object.
type spot struct {
	position int
	next     map[any]*spot
}

// along follows a step of a loc, which leads nowhere if it is a tag.
func (s *spot) along(step any) *spot {
	if isTag(step) {
		return s
	}
	if s.next == nil {
		s.next = map[any]*spot{}
	}
	if s.next[step] == nil {
		s.next[step] = &spot{}
	}
	return s.next[step]
}

// rankAsSent adds, to the ranks of members for which schemas have no order, the position that they have in the text. Decoded
// objects have no order either, so that the text is read again: an answer to what is right never pays for it.
func rankAsSent(text []byte, all []found, prefix int) {
	var top spot
	if n := top.eachUnordered(all, prefix, func(*int, *spot) {}); n < 2 || text == nil { // one alone has its place already
		return
	}
	top.scan(jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true)))
	top.eachUnordered(all, prefix, func(rank *int, at *spot) { *rank += at.position })
}

// eachUnordered counts the steps to members that have no order, and gives each of them to visit.
func (s *spot) eachUnordered(all []found, prefix int, visit func(rank *int, at *spot)) int {
	n := 0
	for i := range all {
		at := s
		for j, step := range all[i].steps(prefix) {
			at = at.along(step)
			if rank := &all[i].ranks[j]; *rank >= unordered {
				n++
				visit(rank, at)
			}
		}
	}
	return n
}

// scan reads one value of a text that has been decoded before, and skips what nothing is wrong with.
func (s *spot) scan(json *jsontext.Decoder) {
	kind := json.PeekKind()
	if s == nil || len(s.next) == 0 || kind != '{' && kind != '[' {
		_ = json.SkipValue()
		return
	}
	_, _ = json.ReadToken()
	for i := 0; ; i++ {
		if next := json.PeekKind(); next == '}' || next == ']' || next == 0 {
			break
		}
		step := any(i)
		if kind == '{' {
			name, _ := json.ReadToken()
			step = clip(name.String())
		}
		below := s.next[step]
		if below != nil {
			below.position = i
		}
		below.scan(json)
	}
	_, _ = json.ReadToken()
}
