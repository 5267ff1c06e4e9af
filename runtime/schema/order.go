package schema

import (
	"cmp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// valuePlace is where in a value something may be wrong, and what schemas there are for it.
type valuePlace struct {
	schemas  []*jsonschema.Schema
	required map[string]int // positions
	next     map[any]*valuePlace
	work     *int // that is left for all places together
}

func newValuePlace(schemas []*jsonschema.Schema, work *int) *valuePlace {
	p := &valuePlace{required: map[string]int{}, next: map[any]*valuePlace{}, work: work}
	for _, s := range schemas {
		p.include(s)
	}
	return p
}

// include takes a schema with all that it applies, or may apply, to the same value.
func (p *valuePlace) include(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if *p.work -= 1 + len(p.schemas); *p.work < 0 || slices.Contains(p.schemas, s) {
		return
	}
	p.schemas = append(p.schemas, s)
	*p.work -= len(s.Required)
	for i, name := range s.Required {
		if first, ok := p.required[name]; !ok || i < first {
			p.required[name] = i
		}
	}
	for _, also := range slices.Concat(same(s), s.AnyOf, s.OneOf) {
		p.include(also)
	}
	p.include(s.Then)
	p.include(s.Else)
}

// below is the place that a step of a loc leads to.
func (p *valuePlace) below(step any) *valuePlace {
	if isTag(step) {
		return p
	}
	if _, isIndex := step.(int); isIndex {
		step = 0 // of items, all are alike
	}
	if p.next[step] == nil {
		p.next[step] = newValuePlace(p.members(step), p.work)
	}
	return p.next[step]
}

func (p *valuePlace) members(step any) []*jsonschema.Schema {
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

// The ranks of an object's members: the position of a required one, then these. The list of required members is the one order
// that a schema has once it has been through YAML, Kubernetes and JSON: that of its properties is gone. To the last two, the
// position is added that the member has in the text.
const (
	optional  = MaxSchemaNodes
	unordered = optional + 1
	forbidden = unordered + MaxObjectKeys
)

func (p *valuePlace) rank(step any) int {
	name, isName := step.(string)
	if !isName {
		return 0
	}
	if position, ok := p.required[name]; ok {
		return position
	}
	*p.work -= len(p.schemas)
	if slices.ContainsFunc(p.schemas, func(s *jsonschema.Schema) bool { return s.Properties[name] != nil }) {
		return optional
	}
	return unordered
}

// Bounds on the work of putting members into order. With more violations than anyone reads, or schemas that make too many
// others apply, the order of their names will do.
const (
	maxRanked    = 1000    // violations
	maxOrderWork = 1 << 20 // schemas looked at
)

// sorted puts violations into the order in which Pydantic finds them: members in their order, what is not allowed after them,
// an item or member after what is wrong with the whole; of one value, its constraints as Pydantic goes through them.
func (f *finder) sorted(root *jsonschema.Schema) []found {
	all, prefix := f.found, len(f.at)
	if root != nil && len(all) <= maxRanked {
		slices.SortFunc(all, func(a, b found) int { return compare(a.Violation, b.Violation) })
		work := maxOrderWork // ends at the same violation each time
		top := newValuePlace([]*jsonschema.Schema{root}, &work)
		for i := range all {
			all[i].ranks = ranks(top, &all[i], prefix)
		}
		rankAsSent(f.text, all, prefix)
	}
	slices.SortFunc(all, func(a, b found) int {
		if c := comparePlaces(&a, &b, prefix); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(stages[a.keyword], stages[b.keyword]), compare(a.Violation, b.Violation))
	})
	return slices.CompactFunc(all, func(a, b found) bool { return compare(a.Violation, b.Violation) == 0 })
}

func ranks(at *valuePlace, v *found, prefix int) []int {
	steps := v.steps(prefix)
	out := make([]int, len(steps))
	for i, step := range steps {
		out[i] = at.rank(step)
		at = at.below(step)
	}
	if n := len(out); n > 0 && v.Type == answers["additionalProperties"].kind && out[n-1] == unordered {
		out[n-1] = forbidden
	}
	return out
}

// steps are those of loc that lead to the value, or to the name.
func (v *found) steps(prefix int) []any {
	if v.isName {
		return v.Loc[prefix : len(v.Loc)-1]
	}
	return v.Loc[prefix:]
}

// comparePlaces puts a name before the value that it has.
func comparePlaces(a, b *found, prefix int) int {
	one, other := a.steps(prefix), b.steps(prefix)
	for i := range min(len(one), len(other)) {
		if c := cmp.Compare(a.rank(i), b.rank(i)); c != 0 {
			return c
		}
		if c := compareStep(one[i], other[i]); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(one), len(other)); c != 0 || a.isName == b.isName {
		return c
	}
	if a.isName {
		return -1
	}
	return 1
}

func (v *found) rank(step int) int {
	if step < len(v.ranks) {
		return v.ranks[step]
	}
	return 0
}

// stages are the positions of constraints of which Pydantic reports the first that fails.
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
