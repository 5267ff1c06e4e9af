package schema

import (
	"cmp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// place is where in a value something may be wrong, and what schemas there are for it.
type place struct {
	schemas []*jsonschema.Schema
	next    map[any]*place
}

func newPlace(schemas []*jsonschema.Schema) *place {
	p := &place{next: map[any]*place{}}
	for _, s := range schemas {
		p.include(s)
	}
	return p
}

// include takes a schema with all that it applies, or may apply, to the same value.
func (p *place) include(s *jsonschema.Schema) {
	if s == nil || slices.Contains(p.schemas, s) {
		return
	}
	p.schemas = append(p.schemas, s)
	for _, also := range slices.Concat(same(s), s.AnyOf, s.OneOf) {
		p.include(also)
	}
	p.include(s.Then)
	p.include(s.Else)
}

// below is the place that a step of a loc leads to.
func (p *place) below(step any) *place {
	if _, isTag := step.(tag); isTag {
		return p
	}
	if _, isIndex := step.(int); isIndex {
		step = 0 // of items, all are alike
	}
	if p.next[step] == nil {
		p.next[step] = newPlace(p.members(step))
	}
	return p.next[step]
}

func (p *place) members(step any) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	name, isName := step.(string)
	for _, s := range p.schemas {
		switch member := s.Properties[name]; {
		case !isName:
			all = append(append(all, s.Items2020), s.PrefixItems...)
		case member != nil:
			all = append(all, member)
		default:
			additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
			all = append(all, additional)
		}
	}
	return all
}

// rank is the name's position in the list of required members, which is the one order of members that a schema has once it
// has been through YAML, Kubernetes and JSON: those of its properties are gone. Names that are not required follow.
func (p *place) rank(step any) int {
	const last = MaxSchemaNodes
	best := last
	name, ok := step.(string)
	if !ok {
		return 0
	}
	for _, s := range p.schemas {
		if i := slices.Index(s.Required, name); i >= 0 {
			best = min(best, i)
		}
	}
	return best
}

// maxRanked bounds the work of putting members into the order of their schema: with more violations than anyone reads, the
// order of their names will do.
const maxRanked = 1000

// sorted puts violations into the order in which Pydantic finds them: members in their order, what is not allowed after them,
// an item or member after what is wrong with the whole; of one value, its constraints as Pydantic goes through them.
func sorted(all []found, root *jsonschema.Schema, prefix int) []found {
	if root != nil && len(all) <= maxRanked {
		top := newPlace([]*jsonschema.Schema{root})
		for i := range all {
			all[i].ranks = ranks(top, &all[i], prefix)
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if c := comparePlaces(&a, &b, prefix); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(stages[a.keyword], stages[b.keyword]), compare(a.Violation, b.Violation))
	})
	return slices.CompactFunc(all, func(a, b found) bool { return compare(a.Violation, b.Violation) == 0 })
}

func ranks(at *place, v *found, prefix int) []int {
	steps := v.Loc[prefix:]
	out := make([]int, len(steps))
	for i, step := range steps {
		out[i] = at.rank(step)
		at = at.below(step)
	}
	if v.keyword == "additionalProperties" && len(out) > 0 {
		out[len(out)-1] = MaxSchemaNodes + 1
	}
	return out
}

func comparePlaces(a, b *found, prefix int) int {
	for i := range min(len(a.ranks), len(b.ranks)) {
		if a.ranks[i] != b.ranks[i] {
			return a.ranks[i] - b.ranks[i]
		}
		if c := compareStep(a.Loc[prefix+i], b.Loc[prefix+i]); c != 0 {
			return c
		}
	}
	return slices.CompareFunc(a.Loc, b.Loc, compareStep)
}

// stages are the positions of constraints of which Pydantic tells the first that fails.
var stages = map[string]int{
	"minLength": 1, "maxLength": 2, "pattern": 3,
	"multipleOf": 1, "maximum": 2, "exclusiveMaximum": 3, "minimum": 4, "exclusiveMinimum": 5,
}

// told leaves out, of sorted violations, those that Pydantic would not come to: it stops at the first constraint that a
// text or number fails and at a list that is too long, and counts items and members only once each of them is right.
func told(all []found) []found {
	var out []found
	for i := range all {
		v := &all[i]
		if len(out) > 0 && out[len(out)-1].hides(v) || slices.Contains(counts, v.keyword) && anyWithin(all[i+1:], v.Loc) {
			continue
		}
		if j := slices.IndexFunc(out, func(o found) bool { return o.keyword == "maxItems" && within(v.Loc, o.Loc) }); j < 0 {
			out = append(out, *v)
		}
		if len(out) == MaxViolations {
			break
		}
	}
	return out
}

// counts are the keywords that are looked at after the items and members themselves.
var counts = []string{"minItems", "minProperties", "maxProperties"}

func (v *found) hides(next *found) bool {
	return v.schema == next.schema && stages[v.keyword] > 0 && stages[next.keyword] > 0 &&
		slices.CompareFunc(v.Loc, next.Loc, compareStep) == 0
}

// anyWithin looks at the first that is not at the place itself: what lies within comes next.
func anyWithin(next []found, loc []any) bool {
	for i := range next {
		if slices.CompareFunc(next[i].Loc, loc, compareStep) != 0 {
			return within(next[i].Loc, loc)
		}
	}
	return false
}

func within(loc, whole []any) bool {
	return len(loc) > len(whole) && slices.CompareFunc(loc[:len(whole)], whole, compareStep) == 0
}
