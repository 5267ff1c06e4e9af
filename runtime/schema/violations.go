package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/llmservice/llmservice/runtime/problem"
)

// MaxViolations is how many violations an answer lists; a client that has this many learns nothing from more.
const MaxViolations = 100

// Bounds on what a violation repeats, in bytes, so that a small body cannot cause a large answer.
const (
	maxShownName   = 256  // of a name in loc
	maxShownValues = 1024 // of an enum's or const's values
)

// keyStep follows a name in loc where the name itself is wrong, as in Pydantic's.
const keyStep = "[key]"

// violations translates a validator's error about root, which stands at the loc given. They are sorted by loc, since the
// validator walks objects in no order.
func violations(root any, at []any, err error) []problem.Violation {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []problem.Violation{violation(at, "other", nil)}
	}
	f := finder{root: root, at: at}
	f.find(e)
	slices.SortFunc(f.found, func(a, b found) int { return compare(a.Violation, b.Violation) })
	f.found = slices.CompactFunc(f.found, func(a, b found) bool { return compare(a.Violation, b.Violation) == 0 })
	out := make([]problem.Violation, min(len(f.found), MaxViolations))
	for i := range out {
		out[i] = f.found[i].Violation
	}
	return out
}

// found is a violation and the keyword it came from.
type found struct {
	problem.Violation
	keyword string
}

// finder collects violations from a tree of errors about root.
type finder struct {
	root  any
	at    []any
	found []found
}

func (f *finder) add(loc []any, keyword string, ctx map[string]any) {
	f.found = append(f.found, found{violation(loc, keyword, ctx), keyword})
}

func (f *finder) find(e *jsonschema.ValidationError) {
	loc := f.locate(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		f.findAll(e.Causes)
	case *kind.AnyOf:
		f.closest(loc, e.Causes)
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			f.add(loc, "oneOf", nil)
		} else {
			f.closest(loc, e.Causes)
		}
	case *kind.PropertyNames:
		f.names(e.Causes)
	case *kind.Type:
		f.wrongType(loc, k)
	case *kind.Required:
		f.missing(loc, k.Missing)
	case *kind.DependentRequired:
		f.missing(loc, k.Missing)
	case *kind.Dependency:
		f.missing(loc, k.Missing)
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			f.add(append(slices.Clip(loc), clip(name)), "additionalProperties", nil)
		}
	default:
		keyword, ctx := describe(k)
		f.add(loc, keyword, ctx)
	}
}

func (f *finder) findAll(causes []*jsonschema.ValidationError) {
	for _, cause := range causes {
		f.find(cause)
	}
}

func (f *finder) missing(loc []any, names []string) {
	for _, name := range names {
		f.add(append(slices.Clip(loc), clip(name)), "required", nil)
	}
}

// wrongType names every type that would have done. null is named only where nothing else would do: what may be absent
// is seldom what was meant.
func (f *finder) wrongType(loc []any, k *kind.Type) {
	for _, want := range k.Want {
		switch {
		case want == "null" && len(k.Want) > 1:
		case want == "integer" && k.Got == "number":
			f.add(loc, "type:fraction", nil)
		default:
			f.add(loc, "type:"+want, nil)
		}
	}
}

// names takes the causes of propertyNames, whose location is the name itself.
func (f *finder) names(causes []*jsonschema.ValidationError) {
	sub := finder{root: f.root, at: f.at}
	sub.findAll(causes)
	for _, v := range sub.found {
		v.Loc = append(slices.Clip(v.Loc), keyStep)
		f.found = append(f.found, v)
	}
}

// closest keeps of several branches those that were most likely meant. A branch that wants another type, or another
// value of a field that tells the forms apart, says nothing useful beside one that got further.
func (f *finder) closest(loc []any, branches []*jsonschema.ValidationError) {
	best := -1
	var kept []found
	for _, branch := range branches {
		sub := finder{root: f.root, at: f.at}
		sub.find(branch)
		switch distance := distance(loc, sub.found); {
		case best < 0 || distance < best:
			best, kept = distance, sub.found
		case distance == best:
			kept = append(kept, sub.found...)
		}
	}
	f.found = append(f.found, kept...)
}

func distance(loc []any, branch []found) int {
	far := 0
	for _, v := range branch {
		switch {
		case len(v.Loc) == len(loc) && v.keyword == "type:null":
			far = max(far, 3)
		case len(v.Loc) == len(loc) && strings.HasPrefix(v.keyword, "type:"):
			far = max(far, 2)
		case v.keyword == "enum" || v.keyword == "const":
			far = max(far, 1)
		}
	}
	return far
}

// locate turns steps into a loc: where the root is, then names, and indexes as numbers. Only the value tells the two apart.
func (f *finder) locate(steps []string) []any {
	loc := make([]any, len(f.at), len(f.at)+len(steps)+1)
	copy(loc, f.at)
	at := f.root
	for _, step := range steps {
		switch v := at.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return loc
			}
			at = v[i]
			loc = append(loc, i)
		case map[string]any:
			at = v[step]
			loc = append(loc, clip(step))
		default:
			return loc
		}
	}
	return loc
}

func clip(name string) string { return shorten(name, maxShownName) }

// shorten cuts at the end of a rune.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// compare orders violations by place, then by type. An index stands before a name, a place before what lies within it.
func compare(a, b problem.Violation) int {
	return cmp.Or(
		slices.CompareFunc(a.Loc, b.Loc, compareStep),
		cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Msg, b.Msg),
	)
}

func compareStep(a, b any) int {
	i, aIsIndex := a.(int)
	j, bIsIndex := b.(int)
	switch {
	case aIsIndex && bIsIndex:
		return cmp.Compare(i, j)
	case aIsIndex:
		return -1
	case bIsIndex:
		return 1
	default:
		return cmp.Compare(a.(string), b.(string)) //nolint:forcetypeassert // a step is an index or a name
	}
}

// inWords puts a validator's error about a schema's own value into one sentence.
func inWords(root any, err error) string {
	all := violations(root, nil, err)
	if len(all) == 0 {
		return "it is not valid"
	}
	first := all[0]
	if len(first.Loc) == 0 {
		return first.Msg
	}
	return fmt.Sprintf("%s, at %s", first.Msg, pointerTo(first.Loc))
}

// pointerTo writes a loc as a JSON pointer.
func pointerTo(loc []any) string {
	var pointer strings.Builder
	for _, step := range loc {
		pointer.WriteString("/" + escape(fmt.Sprint(step)))
	}
	return pointer.String()
}
