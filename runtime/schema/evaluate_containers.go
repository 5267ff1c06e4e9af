package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

func member(name string) segment { return segment{name: name, index: -1} }

func item(i int) segment { return segment{index: i} }

func (a *application) object(object map[string]any) {
	r := a.rule
	if r.MinProperties != nil && len(object) < *r.MinProperties && a.fails() {
		a.add(&kind.MinProperties{Got: len(object), Want: *r.MinProperties})
	}
	if r.MaxProperties != nil && len(object) > *r.MaxProperties && a.fails() {
		a.add(&kind.MaxProperties{Got: len(object), Want: *r.MaxProperties})
	}
	if missing := a.missing(object, r.Required); len(missing) > 0 && a.fails() {
		a.add(&kind.Required{Missing: missing})
	}
	a.asked(object)
	a.dependents(object)
	if a.done() || len(r.properties) == 0 && len(r.matched) == 0 && r.AdditionalProperties == nil && r.propertyNames == nil {
		return
	}
	if a.tally == nil {
		a.quickly(object)
	} else {
		a.inOrder(object)
	}
	if a.seen != nil && r.marksAll(object) {
		a.seen.all = true
	}
}

// missing lists the names that an object lacks; where only an answer is asked for, the first of them.
func (a *application) missing(object map[string]any, names []string) []string {
	var missing []string
	for _, name := range names {
		if _, ok := object[name]; !ok {
			if missing = append(missing, name); a.tally == nil {
				a.failed = true
				break
			}
		}
	}
	return missing
}

// asked looks for members that other members require.
func (a *application) asked(object map[string]any) {
	for i := range a.rule.dependent {
		d := &a.rule.dependent[i]
		if _, ok := object[d.name]; !ok || a.done() {
			continue
		}
		switch missing := a.missing(object, d.required); {
		case len(missing) == 0 || !a.fails():
		case d.older:
			a.add(&kind.Dependency{Prop: d.name, Missing: missing})
		default:
			a.add(&kind.DependentRequired{Prop: d.name, Missing: missing})
		}
	}
}

func (a *application) dependents(object map[string]any) {
	for i := range a.rule.dependent {
		d := &a.rule.dependent[i]
		if _, ok := object[d.name]; ok && d.rule != nil {
			a.needs(d.rule, object)
		}
	}
}

// quickly looks at members in any order, those first that hold no others: what distinguishes the forms of a union is among
// them.
func (a *application) quickly(object map[string]any) {
	r := a.rule
	if r.forbidsOthers && len(r.matched) == 0 && len(object) > len(r.properties) {
		a.failed = true
		return
	}
	containers := false
	for name, v := range object {
		if isContainer(v) {
			containers = true
			continue
		}
		if a.member(name, v); a.done() {
			return
		}
	}
	if !containers {
		return
	}
	for name, v := range object {
		if !isContainer(v) {
			continue
		}
		if a.member(name, v); a.done() {
			return
		}
	}
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// inOrder looks at members in the order in which their violations are reported, and in that of their names where it is
// that of the text.
func (a *application) inOrder(object map[string]any) {
	for _, name := range a.rule.names {
		if v, ok := object[name]; ok && !a.done() {
			a.member(name, v)
		}
	}
	if a.done() {
		return
	}
	var others []string
	for name := range object {
		if !slices.Contains(a.rule.Required, name) && a.rule.properties[name] == nil {
			others = append(others, name)
		}
	}
	a.work.step(len(others))
	slices.Sort(others)
	for _, name := range others {
		if a.done() {
			return
		}
		a.member(name, object[name])
	}
}

// member checks one member against everything that the rule says about it.
func (a *application) member(name string, v any) {
	r := a.rule
	sub, evaluated := r.properties[name]
	if evaluated {
		a.below(sub, v, member(name))
	}
	for i := range r.matched {
		if a.done() {
			return
		}
		if a.match(r.matched[i].pattern, name) {
			evaluated = true
			a.below(r.matched[i].rule, v, member(name))
		}
	}
	switch {
	case evaluated:
	case r.others != nil:
		a.below(r.others, v, member(name))
	case r.forbidsOthers:
		if a.fails() {
			a.add(&kind.AdditionalProperties{Properties: []string{name}})
		}
	}
	if a.seen != nil && evaluated {
		a.seen.mark(name)
	}
	if r.propertyNames != nil && !a.done() {
		a.name(name)
	}
}

// name holds the name of a member against propertyNames.
func (a *application) name(name string) {
	var causes *tally
	if a.tally != nil {
		causes = &tally{}
	}
	if !a.holds(a.rule.propertyNames, name, member(name), causes) && a.fails() {
		a.add(&kind.PropertyNames{Property: name}, *causes...)
	}
}

// array walks into no list that is too long.
func (a *application) array(list []any) {
	r := a.rule
	if r.MaxItems != nil && len(list) > *r.MaxItems {
		if a.fails() {
			a.add(&kind.MaxItems{Got: len(list), Want: *r.MaxItems})
		}
		return
	}
	if r.MinItems != nil && len(list) < *r.MinItems && a.fails() {
		a.add(&kind.MinItems{Got: len(list), Want: *r.MinItems})
	}
	a.items(list)
	if r.contains != nil && !a.done() {
		a.contains(list)
	}
	if r.UniqueItems && !a.done() {
		before := a.work.unknowns
		if i, j, repeated := a.work.duplicates(list); repeated && a.work.unknowns == before && a.fails() {
			a.add(&kind.UniqueItems{Duplicates: [2]int{i, j}})
		}
	}
}

func (a *application) items(list []any) {
	r := a.rule
	for i, v := range list {
		sub := r.items
		if i < len(r.prefix) {
			sub = r.prefix[i]
		}
		if sub == nil || a.done() {
			break
		}
		a.below(sub, v, item(i))
	}
	if a.seen != nil {
		if a.seen.upTo = max(a.seen.upTo, len(r.prefix)); r.marksAll(list) {
			a.seen.all = true
		}
	}
}

func (a *application) contains(list []any) {
	r, matched, before := a.rule, 0, a.work.unknowns
	for i, v := range list {
		if a.work.err != nil {
			return
		}
		if !a.holds(r.contains, v, item(i), nil) {
			continue
		}
		matched++
		switch {
		case a.seen != nil:
			a.seen.markItem(i)
		case r.MinContains == nil && r.MaxContains == nil: // one is enough
			return
		}
	}
	switch least := r.MinContains; {
	case least != nil && matched < *least:
		if a.fails() {
			a.add(&kind.MinContains{Got: counted(matched), Want: *least})
		}
	case least == nil && matched == 0:
		if a.fails() {
			a.add(&kind.Contains{})
		}
	}
	if r.MaxContains != nil && matched > *r.MaxContains && a.work.unknowns == before && a.fails() {
		a.add(&kind.MaxContains{Got: counted(matched), Want: *r.MaxContains})
	}
}

// positions is what the errors of contains list, of which only the number is reported.
var positions [MaxBodyNodes]int

func counted(n int) []int { return positions[:n] }

func (a *application) unevaluated(v any) {
	r := a.rule
	switch v := v.(type) {
	case map[string]any:
		if r.unevaluated == nil {
			return
		}
		for _, name := range a.unseen(v) {
			if a.done() {
				return
			}
			a.below(r.unevaluated, v[name], member(name))
		}
	case []any:
		if r.unevaluatedItems == nil {
			return
		}
		for i := a.seen.upTo; i < len(v) && !a.seen.all && !a.done(); i++ {
			if !a.seen.items[i] {
				a.below(r.unevaluatedItems, v[i], item(i))
			}
		}
	default:
		return
	}
	a.seen.all = true
}

// unseen lists the members of an object that nothing has evaluated, by name.
func (a *application) unseen(object map[string]any) []string {
	var names []string
	if a.seen.all || !a.work.step(len(object)) {
		return nil
	}
	for name := range object {
		if !a.seen.names[name] {
			names = append(names, name)
		}
	}
	if a.tally != nil {
		slices.Sort(names)
	}
	return names
}

// marks record which parts of a value have been evaluated, for unevaluatedProperties and unevaluatedItems (Core, section 7.7.1.1).
type marks struct {
	all   bool
	names map[string]bool
	upTo  int // items before this one
	items map[int]bool
}

func (m *marks) mark(name string) {
	if m.names == nil {
		m.names = map[string]bool{}
	}
	m.names[name] = true
}

func (m *marks) markItem(i int) {
	if m.items == nil {
		m.items = map[int]bool{}
	}
	m.items[i] = true
}

// merge adds what another has, and gives the steps that this took.
func (m *marks) merge(other *marks) int {
	m.all = m.all || other.all
	m.upTo = max(m.upTo, other.upTo)
	if m.all {
		return 0
	}
	for name := range other.names {
		m.mark(name)
	}
	for i := range other.items {
		m.markItem(i)
	}
	return len(other.names) + len(other.items)
}
