package schema

import (
	"context"
	"reflect"
	"slices"

	"github.com/llmservice/llmservice/runtime/problem"
)

// CheckResponse is CheckAnswer without the members that the schema does not name: an answer to a client has what has been
// promised, and not what else its parts happen to have. FastAPI's response_model does the same (Pydantic's extra="ignore").
//
// The members of an object are all kept unless a schema that applies to it has properties or patternProperties; then the
// others are dropped, unless such a schema requires them, or says with additionalProperties or unevaluatedProperties what
// they are. Schemas apply through $ref, $dynamicRef, allOf, if, then, else and dependentSchemas, and of anyOf and oneOf
// through one branch that the value satisfies. Of several, as in Pydantic's smart mode, the one counts that lists the most of
// the value's members, at every level; of equal ones, the first. A branch that lists none counts if it comes before those that
// do, or if it says what type all members have.
func (s *Schema) CheckResponse(ctx context.Context, text []byte, at ...any) ([]byte, []problem.Violation, error) {
	w := NewWorkBudget(ctx)
	doc, wrong, err := s.document(w, text, at, s.fill)
	if err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	w.renew(ctx, doc.bytes)
	if err := s.trim(&doc, w); err != nil {
		return nil, []problem.Violation{refused(at, err)}, w.interrupted()
	}
	sent, err := doc.written(text)
	return sent, nil, err
}

// trim drops what the schema does not name from a document that satisfies it.
func (s *Schema) trim(doc *document, w *WorkBudget) error {
	if !s.names {
		return nil
	}
	t := trimming{evaluation: w.evaluation()}
	value, changed := t.value(doc.value, []applied{{rule: s.root}})
	if w.err == nil && changed {
		doc.value, doc.changed = value, true
	}
	return w.err
}

// trimming is one pass over one document.
type trimming struct {
	*evaluation

	counts map[placed]int // nil while nothing was counted
}

// applied is a rule that a value satisfies, and where it is applied.
type applied struct {
	rule *rule
	in   *scope
}

// value gives a value without what the rules do not name, as a copy of what changes.
func (t *trimming) value(v any, rules []applied) (any, bool) {
	if len(rules) == 0 || !isContainer(v) {
		return v, false
	}
	var few [2]applied // of most values
	all := t.apart(few[:0], v, rules)
	switch v := v.(type) {
	case map[string]any:
		return t.object(v, all)
	case []any:
		return t.array(v, all)
	}
	return v, false
}

// apart lists all rules that apply to the value to which these do.
func (t *trimming) apart(all []applied, v any, rules []applied) []applied {
	for _, a := range rules {
		if a.rule == nil || !t.work.step(1) {
			continue
		}
		a.in = a.rule.within(a.in)
		all = append(all, a)
		all = t.apart(all, v, t.also(a, v))
	}
	return all
}

// also lists what a rule leads to for the same value.
func (t *trimming) also(a applied, v any) []applied {
	r, out := a.rule, []applied(nil)
	add := func(rules ...*rule) {
		for _, also := range rules {
			if also != nil {
				out = append(out, applied{also, a.in})
			}
		}
	}
	add(r.ref)
	if r.dynamic != nil {
		add((&application{evaluation: t.evaluation, rule: r, scope: a.in}).resolved())
	}
	add(r.allOf...)
	add(t.meant(a.in, r.anyOf, v), t.meant(a.in, r.oneOf, v))
	switch {
	case r.ifs == nil:
	case t.apply(r.ifs, v, a.in, nil, nil):
		add(r.ifs, r.then)
	default:
		add(r.otherwise)
	}
	if object, ok := v.(map[string]any); ok {
		for i := range r.dependent {
			if _, ok := object[r.dependent[i].name]; ok {
				add(r.dependent[i].rule)
			}
		}
	}
	return out
}

// meant is the branch of a union that counts for a value; nil if there is none.
func (t *trimming) meant(in *scope, branches []*rule, v any) *rule {
	held := slices.DeleteFunc(slices.Clone(branches), func(r *rule) bool { return !t.apply(r, v, in, nil, nil) })
	switch {
	case len(held) == 0:
		return nil
	case len(held) == 1 || !isContainer(v):
		return held[0]
	}
	best, most := held[0], t.fields(v, applied{held[0], in})
	for _, branch := range held[1:] {
		n := t.fields(v, applied{branch, in})
		switch {
		case n == unlisted && isExact(branch, v):
			return branch
		case most != unlisted && n > most:
			best, most = branch, n
		}
	}
	return best
}

// unlisted is how many members a rule lists that lists none, as opposed to one that lists members which are not there.
const unlisted = -1

// isExact reports whether a rule that lists no members describes them at least, and not as just anything.
func isExact(r *rule, v any) bool {
	_, isArray := v.([]any)
	return isArray || r.others != nil && r.others.types != 0
}

// fields counts the members of a value, at every level, that a rule lists. What is counted for a union is counted again for
// each union that it is in, so that the count is remembered.
func (t *trimming) fields(v any, of applied) int {
	if !isContainer(v) || !t.work.step(1) {
		return unlisted
	}
	key := placed{of.rule, reflect.ValueOf(v).Pointer()}
	if n, ok := t.counts[key]; ok {
		return n
	}
	n := unlisted
	switch all := t.apart(nil, v, []applied{of}); v := v.(type) {
	case map[string]any:
		n = t.fieldsOfObject(v, all)
	case []any:
		for i, item := range v {
			n = plus(n, t.fieldsOfAll(item, itemRules(all, i)))
		}
	}
	if of.in == nil { // otherwise the same rule may mean something else elsewhere
		t.remember(key, n)
	}
	return n
}

func (t *trimming) remember(at placed, fields int) {
	if t.counts == nil {
		t.counts = map[placed]int{}
	}
	t.counts[at] = fields
}

func (t *trimming) fieldsOfObject(object map[string]any, all []applied) int {
	members, n := naming{trimming: t, all: all}, unlisted
	if members.lists() {
		n = 0
	}
	for name, v := range object {
		rules, _, listed := members.of(name, v)
		if listed {
			n++
		}
		n = plus(n, t.fieldsOfAll(v, rules))
	}
	return n
}

func (t *trimming) fieldsOfAll(v any, rules []applied) int {
	n := unlisted
	for _, r := range rules {
		n = plus(n, t.fields(v, r))
	}
	return n
}

// plus adds counts of which either may be of a rule that lists nothing.
func plus(n, m int) int {
	if m == unlisted {
		return n
	}
	return max(n, 0) + m
}

// placed is a rule, and the object or array to which it is applied.
type placed struct {
	rule  *rule
	value uintptr
}

func (t *trimming) object(in map[string]any, all []applied) (any, bool) {
	members := naming{trimming: t, all: all}
	lists := members.lists()
	out := object{members: in}
	for name, member := range in {
		rules, keep, _ := members.of(name, member)
		if lists && !keep {
			out.drop(name)
			continue
		}
		if v, changed := t.value(member, rules); changed {
			out.set(name, v)
		}
	}
	return out.members, out.own
}

func (t *trimming) array(in []any, all []applied) (any, bool) {
	out, own := in, false
	for i, item := range in {
		v, changed := t.value(item, itemRules(all, i))
		if !changed {
			continue
		}
		if !own {
			out, own = slices.Clone(in), true
		}
		out[i] = v
	}
	return out, own
}

// itemRules are those for an item of an array to which the rules apply.
func itemRules(all []applied, i int) []applied {
	var rules []applied
	for _, a := range all {
		switch {
		case i < len(a.rule.prefix):
			rules = append(rules, applied{a.rule.prefix[i], a.in})
		case a.rule.items != nil:
			rules = append(rules, applied{a.rule.items, a.in})
		}
	}
	return rules
}

// naming is what the rules that apply to an object say about its members.
type naming struct {
	*trimming

	all []applied
}

// lists reports whether any of them lists members, so that there are others.
func (n *naming) lists() bool {
	return slices.ContainsFunc(n.all, func(a applied) bool { return a.rule.lists() })
}

// lists reports whether a rule lists the members of objects, be it none: an empty list is one.
func (r *rule) lists() bool { return r.Properties != nil || len(r.matched) > 0 }

// of gives the rules for a member, and whether it is kept, and that because it is listed rather than as one of the others. A
// member that holds no others needs no rules.
func (n *naming) of(name string, member any) (rules []applied, keep, listed bool) {
	deep := isContainer(member)
	add := func(r *rule, in *scope) {
		if keep = true; deep {
			rules = append(rules, applied{r, in})
		}
	}
	for _, a := range n.all {
		if !n.work.step(1) {
			return nil, true, false
		}
		named := false
		if sub := a.rule.properties[name]; sub != nil {
			named = true
			add(sub, a.in)
		}
		for i := range a.rule.matched {
			if n.work.match(a.rule.matched[i].pattern, name) {
				named = true
				add(a.rule.matched[i].rule, a.in)
			}
		}
		switch {
		case named:
			listed = true
		case a.rule.asked[name], a.rule.AdditionalProperties == true:
			keep = true
		case a.rule.others != nil:
			add(a.rule.others, a.in)
		case a.rule.unevaluated != nil:
			add(a.rule.unevaluated, a.in)
		}
	}
	return rules, keep, listed
}
