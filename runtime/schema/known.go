package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Unknown stands for a part of a value that is checked before it is complete. An Unknown satisfies a schema, unless no value of
// its types does. So what is found wrong is wrong for every value; and if it matters that something does not satisfy a schema
// (not, if, oneOf, maxContains, uniqueItems), nothing is reported that an Unknown has a part in.
type Unknown struct{ types typeSet }

// UnknownOf is an Unknown of one of these types, by JSON Schema's names; of any, if there are none. A number may be an
// integer if both are named.
func UnknownOf(types ...string) Unknown {
	var u Unknown
	for _, name := range types {
		u.types |= typeSets[name]
	}
	return u
}

// OrNull is the same, or null.
func (u Unknown) OrNull() Unknown { return Unknown{u.types | aNull} }

// CheckKnown returns what is wrong with a value that may hold an Unknown, for every value that it may stand for. A loc begins
// within the value. The work is that of all such checks together: once it is used up, nothing is found.
func (s *Schema) CheckKnown(w *WorkBudget, value any) []problem.Violation {
	w.partial, w.unfilled = true, false
	doc, err := measure(value)
	if err != nil {
		return []problem.Violation{unreadable(nil, err.Error())}
	}
	wrong, err := s.judge(w, &doc, nil, nil, s.fill)
	if err != nil || w.err != nil || w.unfilled {
		return nil
	}
	return wrong
}

func (w *WorkBudget) unknown(v any) (Unknown, bool) {
	if !w.partial {
		return Unknown{}, false
	}
	u, ok := v.(Unknown)
	return u, ok
}

// isUnknown notes that one was met.
func (w *WorkBudget) isUnknown(v any) bool {
	_, ok := w.unknown(v)
	if ok {
		w.unknowns++
	}
	return ok
}

// unknown applies a rule to what is known of a value: its types.
func (a *application) unknown(u Unknown) {
	r := a.rule
	a.work.unknowns++
	isOther := func(v any) bool { return !u.types.has(v) }
	switch {
	case u.types == 0:
	case r.types != 0 && r.types&u.types == 0:
		if a.fails() {
			a.add(&kind.Type{Got: "unknown", Want: r.Types.ToStrings()})
		}
	case r.Const != nil && isOther(*r.Const):
		if a.fails() {
			a.add(&kind.Const{Got: u, Want: *r.Const})
		}
	case r.Enum != nil && !slices.ContainsFunc(r.Enum.Values, func(v any) bool { return !isOther(v) }):
		if a.fails() {
			a.add(&kind.Enum{Got: u, Want: r.Enum.Values})
		}
	}
	if a.done() {
		return
	}
	a.references(u)
	a.combinations(u)
}

// isCertain reports whether a value satisfies a rule for every value that an Unknown in it may stand for.
func (a *application) isCertain(r *rule, v any) bool {
	before := a.work.unknowns
	return a.apply(r, v, a.scope, nil, nil) && a.work.unknowns == before
}
