package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
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

// violations translates a validator's error. They are sorted by loc, since the validator walks objects in no order.
func violations(root any, err error) []problem.Violation {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []problem.Violation{violation([]any{"body"}, "other", nil)}
	}
	f := finder{root: root}
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
	sub := finder{root: f.root}
	sub.findAll(causes)
	for _, v := range sub.found {
		v.Loc = append(slices.Clip(v.Loc), "[key]")
		f.found = append(f.found, v)
	}
}

// closest keeps of several branches those that were most likely meant. A branch that wants another type, or another
// value of a field that tells the forms apart, says nothing useful beside one that got further.
func (f *finder) closest(loc []any, branches []*jsonschema.ValidationError) {
	best := -1
	var kept []found
	for _, branch := range branches {
		sub := finder{root: f.root}
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

// locate turns steps into a loc: "body", then names, and indexes as numbers. Only the value tells the two apart.
func (f *finder) locate(steps []string) []any {
	loc := make([]any, 1, len(steps)+2)
	loc[0] = "body"
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

// describe gives the key in answers, and ctx, for the errors that stand for one keyword at one place.
//
//nolint:funlen // one line for each keyword
func describe(k jsonschema.ErrorKind) (keyword string, ctx map[string]any) {
	switch k := k.(type) {
	case *kind.Enum:
		return "enum", map[string]any{"expected": expected(k.Want)}
	case *kind.Const:
		return "const", map[string]any{"expected": expected([]any{k.Want})}
	case *kind.FalseSchema:
		return "false", nil
	case *kind.MinLength:
		return "minLength", map[string]any{"min_length": k.Want}
	case *kind.MaxLength:
		return "maxLength", map[string]any{"max_length": k.Want}
	case *kind.Pattern:
		return "pattern", map[string]any{"pattern": k.Want}
	case *kind.Minimum:
		return "minimum", map[string]any{"ge": decimal(k.Want)}
	case *kind.ExclusiveMinimum:
		return "exclusiveMinimum", map[string]any{"gt": decimal(k.Want)}
	case *kind.Maximum:
		return "maximum", map[string]any{"le": decimal(k.Want)}
	case *kind.ExclusiveMaximum:
		return "exclusiveMaximum", map[string]any{"lt": decimal(k.Want)}
	case *kind.MultipleOf:
		return "multipleOf", map[string]any{"multiple_of": decimal(k.Want)}
	case *kind.MinItems:
		return "minItems", length("List", "min_length", k.Want, k.Got)
	case *kind.MaxItems:
		return "maxItems", length("List", "max_length", k.Want, k.Got)
	case *kind.MinProperties:
		return "minProperties", length("Dictionary", "min_length", k.Want, k.Got)
	case *kind.MaxProperties:
		return "maxProperties", length("Dictionary", "max_length", k.Want, k.Got)
	case *kind.UniqueItems:
		return "uniqueItems", map[string]any{"first": k.Duplicates[0], "second": k.Duplicates[1]}
	case *kind.Contains:
		return "contains", map[string]any{"min_matches": 1, "actual_matches": 0}
	case *kind.MinContains:
		return "contains", map[string]any{"min_matches": k.Want, "actual_matches": len(k.Got)}
	case *kind.MaxContains:
		return "maxContains", map[string]any{"max_matches": k.Want, "actual_matches": len(k.Got)}
	case *kind.Not:
		return "not", nil
	}
	return "other", nil
}

func length(what, bound string, want, got int) map[string]any {
	return map[string]any{"field_type": what, bound: want, "actual_length": got}
}

// decimal writes a schema's number in full, as the schema's author would.
func decimal(r *big.Rat) json.Number {
	if digits, exact := r.FloatPrec(); exact {
		return json.Number(r.FloatString(digits))
	}
	f, _ := r.Float64()
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// violation puts a failed keyword into words.
func violation(loc []any, keyword string, ctx map[string]any) problem.Violation {
	a := answers[keyword]
	return problem.Violation{Type: a.kind, Loc: loc, Msg: fill(a.message, ctx), Ctx: ctx}
}

// fill puts ctx into a template.
func fill(template string, ctx map[string]any) string {
	var b strings.Builder
	plural := ""
	for {
		text, rest, found := strings.Cut(template, "{")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		template = after
		if name == "s" {
			b.WriteString(plural)
			continue
		}
		if n, isInt := ctx[name].(int); isInt && n == 1 {
			plural = ""
		} else {
			plural = "s"
		}
		fmt.Fprint(&b, ctx[name])
	}
}

// expected lists values the way Pydantic does: 'a', 'b' or 3.
func expected(values []any) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case b.Len() > maxShownValues:
			b.WriteString(", …")
			return b.String()
		case i > 0 && i == len(values)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(shorten(python(v), maxShownValues))
	}
	return b.String()
}

// python writes a value as Python's repr does, on which Pydantic's wording is built; arrays and objects as JSON.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			return `"` + v + `"`
		}
		return "'" + strings.ReplaceAll(v, "'", `\'`) + "'"
	case []any, map[string]any:
		text, err := json.Marshal(v)
		if err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v)
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
