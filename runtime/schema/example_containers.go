package schema

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	optionalDepth    = 6  // levels down to which members are made that may be absent
	maxExampleLength = 64 // items of a list, or members that a minimum asks for
)

// objects gives one with all members that have a schema, and one with as few as are allowed.
func (m *maker) objects(want wanted) iter.Seq[any] {
	return func(yield func(any) bool) {
		whole := len(m.open) <= optionalDepth
		for _, optional := range []bool{true, false} {
			if optional && !whole {
				continue
			}
			if o, ok := m.object(want, optional); ok && !yield(o) {
				return
			}
		}
	}
}

func (m *maker) object(want wanted, optional bool) (map[string]any, bool) {
	o, least := map[string]any{}, leastOf(want.rules, minProperties)
	if !m.require(o, want, requiredBy(want.rules)) {
		return nil, false
	}
	for _, name := range propertiesOf(want.rules) {
		if len(o) < least || optional {
			more := maps.Clone(o)
			if m.require(more, want, []string{name}) {
				o = more
			}
		}
	}
	if optional && len(o) == 0 && slices.ContainsFunc(want.rules, isMap) {
		least = max(least, 1)
	}
	return o, m.others(o, want, least)
}

// isMap reports whether a rule is about members of any name.
func isMap(r *rule) bool { return len(r.properties) == 0 && (r.others != nil || len(r.matched) > 0) }

// require adds members, with those that they ask for.
func (m *maker) require(o map[string]any, want wanted, names []string) bool {
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if _, ok := o[name]; ok {
			continue
		}
		v, ok := m.member(want, name)
		if !ok {
			return false
		}
		o[name] = v
		for _, r := range want.rules {
			for _, d := range r.dependent {
				if d.name == name {
					names = append(names, d.required...)
				}
			}
		}
	}
	return true
}

func (m *maker) member(want wanted, name string) (any, bool) {
	rules := m.rulesFor(want.rules, name)
	return m.value(wanted{rules, name, want.variant})
}

// rulesFor are those that a member of the name has to satisfy.
func (m *maker) rulesFor(rules []*rule, name string) []*rule {
	var all, unevaluated []*rule
	for _, r := range rules {
		before := len(all)
		if p := r.properties[name]; p != nil {
			all = append(all, p)
		}
		for _, matched := range r.matched {
			if m.work.match(matched.pattern, name) {
				all = append(all, matched.rule)
			}
		}
		if len(all) == before {
			all = append(all, present(r.others)...)
		}
		unevaluated = append(unevaluated, present(r.unevaluated)...)
	}
	if len(all) == 0 {
		return unevaluated
	}
	return all
}

// others adds members of other names until there are as many as needed.
func (m *maker) others(o map[string]any, want wanted, least int) bool {
	if least > maxExampleLength {
		return false
	}
	for variant := 0; len(o) < least; variant++ {
		if variant > 2*least+1 {
			return false
		}
		if name := m.name(want.rules, variant); o[name] == nil {
			m.require(o, want, []string{name})
		}
	}
	return true
}

// name makes the name of a member that has no schema of its own.
func (m *maker) name(rules []*rule, variant int) string {
	var names []*rule
	for _, r := range rules {
		names = append(names, present(r.propertyNames)...)
	}
	if len(names) > 0 {
		v, _ := m.value(wanted{names, "", variant})
		name, _ := v.(string)
		return name
	}
	for _, r := range rules {
		for _, matched := range r.matched {
			if name, ok := matched.pattern.Example(1, variant); ok {
				return name
			}
		}
	}
	if variant == 0 {
		return "key"
	}
	return "key" + strconv.Itoa(variant+1)
}

func requiredBy(rules []*rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Required...)
	}
	return all
}

func propertiesOf(rules []*rule) []string {
	all := map[string]bool{}
	for _, r := range rules {
		for name := range r.properties {
			all[name] = true
		}
	}
	return sortedKeys(all)
}

func minProperties(s *jsonschema.Schema) *int { return s.MinProperties }
func minItems(s *jsonschema.Schema) *int      { return s.MinItems }
func maxItems(s *jsonschema.Schema) *int      { return s.MaxItems }
func minLength(s *jsonschema.Schema) *int     { return s.MinLength }
func maxLength(s *jsonschema.Schema) *int     { return s.MaxLength }

// leastOf is the highest of the lower bounds, or 0.
func leastOf(rules []*rule, bound func(*jsonschema.Schema) *int) int {
	least := 0
	for _, r := range rules {
		if b := bound(r.Schema); b != nil {
			least = max(least, *b)
		}
	}
	return least
}

// mostOf is the lowest of the upper bounds.
func mostOf(rules []*rule, bound func(*jsonschema.Schema) *int) int {
	most := math.MaxInt
	for _, r := range rules {
		if b := bound(r.Schema); b != nil {
			most = min(most, *b)
		}
	}
	return most
}

// lists gives one with an item of each kind, and one that is as short as is allowed.
func (m *maker) lists(want wanted) iter.Seq[any] {
	return func(yield func(any) bool) {
		least, most := leastOf(want.rules, minItems), mostOf(want.rules, maxItems)
		contained := containedIn(want.rules)
		least = max(least, len(contained))
		if least > maxExampleLength {
			return
		}
		for _, length := range []int{min(max(least, usualLength(want.rules)), most), least} {
			if list, ok := m.list(want, contained, length); ok && !yield(list) {
				return
			}
		}
	}
}

// containedIn lists what has to be among the items, once for each item that is asked for.
func containedIn(rules []*rule) []*rule {
	var all []*rule
	for _, r := range rules {
		if r.contains == nil {
			continue
		}
		times := 1
		if r.MinContains != nil {
			times = min(*r.MinContains, maxExampleLength)
		}
		for range times {
			all = append(all, r.contains)
		}
	}
	return all
}

// usualLength has each item of a tuple, or one of a list.
func usualLength(rules []*rule) int {
	length := 0
	for _, r := range rules {
		length = max(length, len(r.prefix))
		if r.items != nil {
			length = max(length, 1)
		}
	}
	return length
}

// list makes items, of which the last are those that have to be contained.
func (m *maker) list(want wanted, contained []*rule, length int) ([]any, bool) {
	list := make([]any, 0, length)
	differ := slices.ContainsFunc(want.rules, func(r *rule) bool { return r.UniqueItems })
	for i := range length {
		item := wanted{rulesForItem(want.rules, i), want.name, want.variant}
		if from := length - len(contained); i >= from {
			item.rules = append(slices.Clip(item.rules), contained[i-from])
		}
		v, ok := m.item(list, item, differ)
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

// item makes the next item of a list, which is another one than those before if they have to differ.
func (m *maker) item(list []any, want wanted, differ bool) (any, bool) {
	for range 2*len(list) + 2 { // two may be alike
		v, ok := m.value(want)
		isSame := func(other any) bool { return m.work.equal(v, other) }
		if !ok || !differ || !slices.ContainsFunc(list, isSame) {
			return v, ok
		}
		want.variant++
	}
	return nil, false
}

func rulesForItem(rules []*rule, i int) []*rule {
	var all, unevaluated []*rule
	for _, r := range rules {
		if i < len(r.prefix) {
			all = append(all, r.prefix[i])
		} else {
			all = append(all, present(r.items)...)
		}
		unevaluated = append(unevaluated, present(r.unevaluatedItems)...)
	}
	if len(all) == 0 {
		return unevaluated
	}
	return all
}
