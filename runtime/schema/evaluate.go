package schema

import (
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// An evaluation holds a value against a schema. The compiler's own validator makes every error that there is, looks at no
// deadline, and walks into what is too long already; this one answers first whether the value is valid, cheap constraints
// before those that walk, and makes errors only then, at most as many as are reported, in about the order in which they are.
//
// Errors are those of the compiler's validator, so that one translation serves both. Of a union, the errors of a branch are
// made when the translation asks for them.
type evaluation struct {
	work *WorkBudget
	path []segment // from the root to the value
	few  [fewLevels]segment
	room int       // errors that may still be made
	stop []segment // the value at which a pattern took too much work
}

// fewLevels are those of most values: the path needs no memory of its own.
const fewLevels = 4

// segment is a step from a value to one that it holds: a member's, or an item's.
type segment struct {
	name  string
	index int // -1 for a member
}

// scope is the schemas that lead to one, as far as a dynamic reference looks at them (Core, section 7.1).
type scope struct {
	resource *resource
	outer    *scope
}

// within is the scope of a rule that is applied in another.
func (r *rule) within(in *scope) *scope {
	if r.resource == nil || in != nil && in.resource == r.resource {
		return in
	}
	return &scope{r.resource, in}
}

// tally is what has been found wrong. Nil asks only whether anything is.
type tally []*jsonschema.ValidationError

// application is one rule applied to one value.
type application struct {
	*evaluation

	rule   *rule
	scope  *scope
	seen   *marks // nil if no keyword asks what has been evaluated
	tally  *tally // nil if the caller does not ask what is wrong
	failed bool
}

// branchesPerError of a union take the memory of one error until somebody asks for their own.
const branchesPerError = 8

// apply reports whether a value satisfies a rule, and adds what is wrong to the tally, if there is one.
func (e *evaluation) apply(r *rule, v any, in *scope, seen *marks, errs *tally) bool {
	if !e.work.step(1) {
		return false
	}
	a := application{evaluation: e, rule: r, scope: in, seen: seen, tally: errs}
	if r.Bool != nil {
		if !*r.Bool && a.fails() {
			a.add(&kind.FalseSchema{})
		}
		return !a.failed
	}
	if u, ok := a.work.unknown(v); ok {
		a.unknown(u)
		return !a.failed
	}
	a.scope = r.within(in)
	if a.seen == nil && (r.unevaluated != nil || r.unevaluatedItems != nil) {
		a.seen = &marks{}
	}
	a.run(v)
	return !a.failed
}

// run goes from what is cheap to what is not. A value of another type or value, or of another format, is wrong in that alone.
func (a *application) run(v any) {
	if a.value(v); a.failed {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		a.object(v)
	case []any:
		a.array(v)
	case string:
		a.text(v)
	case nil, bool:
	default:
		a.number(v)
	}
	if a.done() {
		return
	}
	a.references(v)
	a.combinations(v)
	if a.done() {
		return
	}
	a.unevaluated(v)
}

// fails notes that something is wrong, and reports whether the error is to be made.
func (a *application) fails() bool {
	a.failed = true
	return a.tally != nil && a.room > 0 && a.work.errors > 0
}

func (a *application) add(k jsonschema.ErrorKind, causes ...*jsonschema.ValidationError) {
	a.room -= 1 + len(causes)/branchesPerError
	a.work.errors--
	*a.tally = append(*a.tally, &jsonschema.ValidationError{
		SchemaURL: a.rule.Location, InstanceLocation: location(a.path), ErrorKind: k, Causes: causes,
	})
}

// done reports whether what is still to come makes no difference.
func (a *application) done() bool {
	return a.work.err != nil || a.failed && a.tally == nil || a.tally != nil && (a.room <= 0 || a.work.errors <= 0)
}

func location(path []segment) []string {
	out := make([]string, len(path))
	for i, s := range path {
		if out[i] = s.name; s.index >= 0 {
			out[i] = strconv.Itoa(s.index)
		}
	}
	return out
}

// same applies a rule to the same value. What it has evaluated counts if it holds.
func (a *application) same(r *rule, v any, errs *tally) bool {
	var own *marks
	if a.seen != nil {
		own = &marks{}
	}
	ok := a.apply(r, v, a.scope, own, errs)
	if ok && own != nil {
		a.work.step(a.seen.merge(own))
	}
	return ok
}

// needs applies a rule to the same value, which has to satisfy it.
func (a *application) needs(r *rule, v any) {
	if r != nil && !a.done() && !a.same(r, v, a.tally) {
		a.failed = true
	}
}

// below applies a rule to a member or item, which has to satisfy it.
func (a *application) below(r *rule, v any, at segment) {
	if !a.holds(r, v, at, a.tally) {
		a.failed = true
	}
}

func (a *application) holds(r *rule, v any, at segment, errs *tally) bool {
	a.path = append(a.path, at)
	ok := a.apply(r, v, a.scope, nil, errs)
	a.path = a.path[:len(a.path)-1]
	return ok
}

func (a *application) references(v any) {
	a.needs(a.rule.ref, v)
	if a.rule.dynamic != nil {
		a.needs(a.resolved(), v)
	}
}

// resolved gives what a dynamic reference leads to: the outermost schema with its anchor, if it may leave its target at all.
func (a *application) resolved() *rule {
	target := a.rule.dynamic
	if !isDynamic(a.rule.DynamicRef) {
		return target
	}
	for at := a.scope; at != nil; at = at.outer {
		if outer := at.resource.anchors[a.rule.DynamicRef.Anchor]; outer != nil {
			target = outer
		}
	}
	return target
}

func (a *application) combinations(v any) {
	r := a.rule
	if r.not != nil && !a.done() && a.isCertain(r.not, v) && a.fails() {
		a.add(&kind.Not{})
	}
	for _, sub := range r.allOf {
		a.needs(sub, v)
	}
	if len(r.anyOf) > 0 && !a.done() {
		a.any(v)
	}
	if len(r.oneOf) > 0 && !a.done() {
		a.one(v)
	}
	if r.ifs == nil || a.done() {
		return
	}
	before := a.work.unknowns
	switch ok := a.same(r.ifs, v, nil); {
	case !ok:
		a.needs(r.otherwise, v)
	case a.work.unknowns == before:
		a.needs(r.then, v)
	case a.seen != nil:
		a.seen.all = true
	}
}

func (a *application) any(v any) {
	matched := false
	for _, branch := range a.rule.anyOf {
		if a.same(branch, v, nil) {
			matched = true
			if a.seen == nil { // else every branch counts
				return
			}
		}
	}
	if !matched && a.fails() {
		a.add(&kind.AnyOf{}, a.branches(a.rule.anyOf, v)...)
	}
}

func (a *application) one(v any) {
	matched, before := -1, a.work.unknowns
	for i, branch := range a.rule.oneOf {
		if !a.same(branch, v, nil) {
			continue
		}
		if matched >= 0 && a.work.unknowns == before {
			if a.fails() {
				a.add(&kind.OneOf{Subschemas: []int{matched, i}})
			}
			return
		}
		matched = i
	}
	if matched < 0 && a.fails() {
		a.add(&kind.OneOf{}, a.branches(a.rule.oneOf, v)...)
	}
}

// branches stand for what is wrong with a value under each rule of a union.
func (a *application) branches(rules []*rule, v any) []*jsonschema.ValidationError {
	path := slices.Clone(a.path)
	out := make([]*jsonschema.ValidationError, len(rules))
	for i, r := range rules {
		out[i] = &jsonschema.ValidationError{
			SchemaURL: r.Location, ErrorKind: &pending{work: a.work, rule: r, value: v, path: path, scope: a.scope},
		}
	}
	return out
}

// pending is a branch of a union whose errors are not needed yet.
type pending struct {
	kind.Group

	work  *WorkBudget
	rule  *rule
	value any
	path  []segment
	scope *scope
}

// maxInBranch bounds the errors of one branch; twice as many as are reported, since two may say the same.
const maxInBranch = 2 * MaxViolations

// built gives an error with its causes, as far as there is work left to find them.
func built(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	p, ok := err.ErrorKind.(*pending)
	if !ok {
		return err
	}
	e := evaluation{work: p.work, path: slices.Clone(p.path), room: maxInBranch}
	var errs tally
	e.apply(p.rule, p.value, p.scope, nil, &errs)
	return &jsonschema.ValidationError{
		SchemaURL: err.SchemaURL, InstanceLocation: location(p.path), ErrorKind: &kind.Group{}, Causes: errs,
	}
}
