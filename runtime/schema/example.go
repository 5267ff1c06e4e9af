package schema

import (
	"context"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds on the making of one example. They are far above what the schemas of people need.
const (
	MaxExampleBytes  = 8 << 10 // of its JSON text
	maxExampleDepth  = 24      // levels of objects and arrays
	maxExampleTries  = 4000    // values that are tried, and ways through unions
	maxExampleVisits = maxVisits / 10
	maxExampleMatch  = maxMatches / 10
)

// Example makes a value that satisfies the schema, for people who read about it, as JSON text. It has the values that the schema
// itself gives: of `examples`, `example`, `default`, `const` and `enum`, as far as they satisfy it; other values are made of its
// types, formats, patterns and bounds. It is not ok if none was found: nothing satisfies the schema, or only what is hard to guess.
// Equal schemas give equal examples.
func (s *Schema) Example() (example jsontext.Value, ok bool) {
	text, ok := s.exampleOf(func(v any) (any, bool) { return v, true })
	if !ok {
		return nil, false
	}
	_, wrong, err := s.Check(context.Background(), text)
	return text, len(wrong) == 0 && err == nil
}

// exampleOf makes a value that satisfies the schema and is fit for its use, which may change it.
func (s *Schema) exampleOf(fit func(v any) (any, bool)) (jsontext.Value, bool) {
	m := maker{outline: s.Outline(), work: exampleWork(), left: maxExampleTries}
	var changed any
	m.fits = func(v any) (ok bool) {
		changed, ok = fit(v)
		return ok
	}
	if _, ok := m.value(wanted{rules: []*rule{s.root}}); !ok {
		return nil, false
	}
	return s.written(changed)
}

// exampleWork is what the making of an example may take.
func exampleWork() *WorkBudget {
	w := NewWorkBudget(context.Background())
	w.visits, w.matches = maxExampleVisits, maxExampleMatch
	return w
}

// maker makes one example.
type maker struct {
	outline *Outline
	work    *WorkBudget
	left    int
	open    [][]*rule        // of the values that are being made, from the root
	fits    func(v any) bool // reports whether the whole can be used
}

// wanted is a value to make.
type wanted struct {
	rules   []*rule
	name    string // of the member that it is; items have that of their list
	variant int    // which of several it is, if they have to differ
}

// value makes a value for all rules together. A value that could only be made of one of the same rules is not made: if there is
// any, there is a shorter one.
func (m *maker) value(want wanted) (any, bool) {
	isOpen := func(open []*rule) bool { return slices.Equal(open, want.rules) }
	if len(m.open) >= maxExampleDepth || slices.ContainsFunc(m.open, isOpen) {
		return nil, false
	}
	m.open = append(m.open, want.rules)
	defer func() { m.open = m.open[:len(m.open)-1] }()
	for way := range m.ways(want.rules) {
		for v := range m.candidates(wanted{way, want.name, want.variant}) {
			if m.satisfies(v, want.rules) && (len(m.open) > 1 || m.fits(v)) {
				return v, true
			}
		}
	}
	return nil, false
}

func (m *maker) try() bool {
	m.left--
	return m.left > 0 && m.work.err == nil
}

func (m *maker) satisfies(v any, rules []*rule) bool {
	for _, r := range rules {
		e := evaluation{work: m.work}
		if !m.try() || !e.apply(r, v, nil, nil, nil) {
			return false
		}
	}
	return true
}

// ways gives the rules that a value has to satisfy together, once for each way through the unions among them.
func (m *maker) ways(rules []*rule) iter.Seq[[]*rule] {
	return func(yield func([]*rule) bool) { m.decide(nil, rules, nil, yield) }
}

// decide moves rules from todo to taken, with those that they apply to the same value, and then decides the first union that is
// open. It returns false to end the search.
func (m *maker) decide(taken, todo []*rule, open [][][]*rule, yield func([]*rule) bool) bool {
	if !m.try() {
		return false
	}
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		switch {
		case r.Bool != nil && !*r.Bool:
			return true
		case slices.Contains(taken, r):
			continue
		}
		taken = append(slices.Clip(taken), r)
		todo = append(r.applied(), todo...)
		open = append(slices.Clip(open), r.open()...)
	}
	if len(open) == 0 {
		return yield(taken)
	}
	for _, branch := range open[0] {
		if !m.decide(taken, branch, open[1:], yield) {
			return false
		}
	}
	return true
}

// applied are the rules that hold for the same value.
func (r *rule) applied() []*rule {
	return present(append([]*rule{r.ref, r.dynamic}, r.allOf...)...)
}

func present(rules ...*rule) []*rule {
	return slices.DeleteFunc(rules, func(r *rule) bool { return r == nil })
}

// open are the unions of a rule: the branches of each, of which one holds. One that is only null comes last.
func (r *rule) open() [][][]*rule {
	var all [][][]*rule
	for _, union := range [][]*rule{r.anyOf, r.oneOf} {
		if len(union) > 0 {
			branches := make([][]*rule, 0, len(union))
			for _, branch := range slices.Concat(withNull(union, false), withNull(union, true)) {
				branches = append(branches, []*rule{branch})
			}
			all = append(all, branches)
		}
	}
	if r.ifs != nil {
		all = append(all, [][]*rule{present(r.ifs, r.then), present(r.otherwise)})
	}
	for _, d := range r.dependent {
		if d.rule != nil {
			all = append(all, [][]*rule{{d.rule}, nil})
		}
	}
	return all
}

func withNull(branches []*rule, null bool) []*rule {
	return slices.DeleteFunc(slices.Clone(branches), func(r *rule) bool { return isNull(r.Schema) != null })
}

// candidates gives values that may satisfy all rules, the best first.
func (m *maker) candidates(want wanted) iter.Seq[any] {
	return func(yield func(any) bool) {
		given, only := m.given(want.rules)
		for _, v := range given[min(want.variant, len(given)):] {
			if !yield(v) {
				return
			}
		}
		if only {
			return
		}
		for _, name := range typesFor(want.rules) {
			for v := range m.ofType(name, want) {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// given are the values that the rules give themselves; only is true if there are no others.
func (m *maker) given(rules []*rule) (values []any, only bool) {
	var last []any
	for _, r := range rules {
		values = append(values, r.Examples...)
		if site := m.outline.sites[pointerOf(r.Location)]; site != nil {
			if v, ok := site.schema["example"]; ok {
				values = append(values, v)
			}
		}
		if r.Default != nil {
			last = append(last, *r.Default)
		}
	}
	for _, r := range rules {
		if r.Const != nil {
			last, only = append(last, *r.Const), true
		}
		if r.Enum != nil {
			last, only = append(last, r.Enum.Values...), true
		}
	}
	return append(values, last...), only
}

func (m *maker) ofType(name string, want wanted) iter.Seq[any] {
	switch name {
	case "object":
		return m.objects(want)
	case "array":
		return m.lists(want)
	case "string":
		return m.texts(want)
	case "integer", "number":
		return numbers(want, name == "integer")
	case "boolean":
		return slices.Values([]any{want.variant == 0, want.variant != 0})
	}
	return slices.Values([]any{nil})
}

// typeOrder is that in which types are tried, unless a keyword hints at one.
var typeOrder = []string{"string", "object", "array", "integer", "number", "boolean", "null"}

// typesFor lists the types that all rules allow, and first those that their keywords are about.
func typesFor(rules []*rule) []string {
	var all typeSet
	for _, set := range typeSets {
		all |= set
	}
	var hints typeSet
	for _, r := range rules {
		if r.types != 0 {
			all &= r.types.withIntegers()
		}
		hints |= r.hints()
	}
	var first, rest []string
	for _, name := range typeOrder {
		switch set := typeSets[name]; {
		case all&set != set:
		case hints&set != 0:
			first = append(first, name)
		default:
			rest = append(rest, name)
		}
	}
	return append(first, rest...)
}

// withIntegers adds the integers to the numbers.
func (k typeSet) withIntegers() typeSet {
	if k&aNumber != 0 {
		return k | anInteger
	}
	return k
}

// hints are the types that the rule has keywords for.
func (r *rule) hints() typeSet {
	var set typeSet
	if len(r.properties)+len(r.Required)+len(r.matched) > 0 || r.MinProperties != nil || r.others != nil {
		set |= anObject
	}
	if len(r.prefix) > 0 || r.items != nil || r.contains != nil || r.MinItems != nil {
		set |= anArray
	}
	if r.Minimum != nil || r.Maximum != nil || r.ExclusiveMinimum != nil || r.ExclusiveMaximum != nil || r.MultipleOf != nil {
		set |= anInteger
	}
	if r.pattern != nil || r.MinLength != nil || r.MaxLength != nil {
		set |= aString
	}
	return set
}
