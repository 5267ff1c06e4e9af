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

// violations puts what is wrong with a value, which stands at the loc given, as Pydantic would.
// The text is what the value was read from, or nil.
func (s *Schema) violations(spent *WorkBudget, doc document, text []byte, at []any) ([]problem.Violation, error) {
	w := spent.again(doc.bytes)
	e := evaluation{work: w, room: maxRanked}
	var errs tally
	e.apply(s.root, doc.value, nil, nil, &errs)
	f := finder{root: doc.value, text: text, at: at, origins: s.origins, echo: s.echo, sets: s.sets, repeats: doc.repeats}
	found := f.all(s.compiled, &jsonschema.ValidationError{ErrorKind: &kind.Group{}, Causes: errs})
	if len(found) == 0 { // nothing of it could be found again with the work that there was
		found = []problem.Violation{unreadable(at, errWork.Error())}
	}
	return found, w.interrupted()
}

// violations translates a validator's error about root, which stands at the loc given, if nothing is known of the
// schema.
func violations(root any, at []any, err error) []problem.Violation {
	f := finder{root: root, at: at}
	return f.all(nil, err)
}

func (f *finder) all(schema *jsonschema.Schema, err error) []problem.Violation {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []problem.Violation{violation(f.at, "other", nil)}
	}
	f.find(e)
	f.found = f.unfolded(f.found)
	kept := told(f.sorted(schema))
	out := make([]problem.Violation, len(kept))
	for i := range kept {
		out[i] = kept[i].Violation
	}
	return out
}

// found is a violation, the keyword and the schema it came from, and where members stand in their objects.
type found struct {
	problem.Violation

	keyword  string
	schema   string
	mistyped bool // another type was wanted, for any keyword
	isName   bool // loc ends in keyStep
	ranks    []int
}

// finder collects violations from a tree of errors about root.
type finder struct {
	root    any
	text    []byte
	at      []any
	origins origins
	echo    bool
	sets    bool
	repeats repeats
	found   []found
	schema  string // that the error being translated is from
}

func (f *finder) add(loc []any, keyword string, ctx map[string]any) {
	if len(f.found) >= maxRanked {
		return
	}
	f.found = append(f.found, found{Violation: violation(loc, keyword, ctx), keyword: keyword, schema: f.schema})
}

// sub is a finder for one of several branches.
func (f *finder) sub() *finder {
	return &finder{root: f.root, at: f.at, origins: f.origins, echo: f.echo, sets: f.sets}
}

func (f *finder) find(e *jsonschema.ValidationError) {
	e = built(e)
	loc, value := f.locate(e.InstanceLocation)
	f.schema = e.SchemaURL
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		f.findAll(e.Causes)
	case *kind.AnyOf:
		f.union(loc, value, e)
	case *kind.OneOf:
		if len(k.Subschemas) > 0 && !f.untagged(value, e.SchemaURL) {
			f.add(loc, "oneOf", nil)
		} else {
			f.union(loc, value, e)
		}
	case *kind.PropertyNames:
		f.names(e.Causes)
	case *kind.Type:
		f.wrongType(loc, value, k)
	case *kind.Required:
		f.missing(loc, f.besideTag(loc, k.Missing))
	case *kind.DependentRequired:
		f.missing(loc, k.Missing)
	case *kind.Dependency:
		f.missing(loc, k.Missing)
	case *kind.MinItems:
		f.tooShort(loc, k)
	case *kind.MaxItems:
		f.tooLong(loc, k.Want, k.Got)
	case *kind.FalseSchema:
		f.forbidden(loc, e)
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
		if len(f.found) >= maxRanked {
			return
		}
		f.find(cause)
	}
}

func (f *finder) missing(loc []any, names []string) {
	for _, name := range names {
		f.add(append(slices.Clip(loc), clip(name)), "required", nil)
	}
}

// wrongType names every type that would have done. null is named only if nothing else would do: what may be absent
// is seldom what was meant. If the values are listed, their types say nothing more.
func (f *finder) wrongType(loc []any, value any, k *kind.Type) {
	first := len(f.found)
	switch from := f.origins.at(f.schema); {
	case from.Enum != nil:
		f.add(loc, "enum", map[string]any{"expected": expected(from.Enum.Values)})
	case from.Const != nil:
		f.add(loc, "const", map[string]any{"expected": expected([]any{*from.Const})})
	default:
		for _, want := range k.Want {
			if want != "null" || len(k.Want) == 1 {
				f.add(loc, mistyped(want, value, from, f.sets), nil)
			}
		}
	}
	for i := range f.found[first:] {
		f.found[first+i].mistyped = true
	}
}

// mistyped gives the key in answers for a value that is not of the type wanted. A text that stands for no such value is
// told so; one that does, which Pydantic would take for it, is of the wrong type here.
func mistyped(want string, value any, from *origin, sets bool) string {
	text, isText := value.(string)
	switch _, failed := coerce(want, text); {
	case isText && failed == "parse:"+want:
		return failed
	case want == "object" && from.isModel():
		return "type:model"
	case want == "array" && from.PrefixItems != nil:
		return "type:tuple"
	case want == "array" && sets && from.UniqueItems:
		return "type:set"
	case want == "integer" && typeOf(value) == "number":
		return "type:fraction"
	case want == "boolean" && typeOf(value) == "integer":
		if _, failed := coerce(want, fmt.Sprint(value)); failed != "" {
			return failed
		}
	}
	return "type:" + want
}

// names takes the causes of propertyNames, whose location is the name itself.
func (f *finder) names(causes []*jsonschema.ValidationError) {
	sub := f.sub()
	sub.findAll(causes)
	for _, v := range sub.found {
		v.Loc, v.isName = append(slices.Clip(v.Loc), keyStep), true
		f.found = append(f.found, v)
	}
}

// closest keeps of several branches those that were most likely meant. A branch that wants another type, or another
// value of a field that distinguishes the forms, is not useful next to one that got further.
func (f *finder) closest(loc []any, branches []*jsonschema.ValidationError) {
	best := -1
	var kept []found
	for _, branch := range branches {
		sub := f.sub()
		sub.find(branch)
		switch distance := distance(loc, sub.found); {
		case best < 0 || distance < best:
			best, kept = distance, sub.found
		case distance == best:
			kept = distinct(append(kept, sub.found...))
		}
	}
	f.found = append(f.found, kept...)
}

// distinct keeps one of those that say the same, and no more than are ranked: branches often share what they ask for.
func distinct(all []found) []found {
	slices.SortStableFunc(all, func(a, b found) int { return compare(a.Violation, b.Violation) })
	all = slices.CompactFunc(all, func(a, b found) bool { return compare(a.Violation, b.Violation) == 0 })
	return all[:min(len(all), maxRanked)]
}

func distance(loc []any, branch []found) int {
	far := 0
	for _, v := range branch {
		switch {
		case len(v.Loc) == len(loc) && v.keyword == "type:null":
			far = max(far, 3)
		case len(v.Loc) == len(loc) && v.mistyped:
			far = max(far, 2)
		case v.keyword == "enum" || v.keyword == "const":
			far = max(far, 1)
		}
	}
	return far
}

// locate turns steps into a loc: where the root is, then names, and indexes as numbers. Only the value distinguishes the two.
// It gives the value there, too.
func (f *finder) locate(steps []string) (loc []any, value any) {
	loc = make([]any, len(f.at), len(f.at)+len(steps)+1)
	copy(loc, f.at)
	value = f.root
	for _, step := range steps {
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return loc, nil
			}
			value = v[i]
			loc = append(loc, i)
		case map[string]any:
			value = v[step]
			loc = append(loc, clip(step))
		default:
			return loc, nil
		}
	}
	return loc, value
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
		return cmp.Compare(nameOf(a), nameOf(b))
	}
}

func nameOf(step any) string {
	if isTag(step) {
		return fmt.Sprint(step)
	}
	name, _ := step.(string)
	return name
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
