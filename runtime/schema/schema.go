// Package schema checks JSON against JSON Schema 2020-12 and says what is wrong the way FastAPI does.
//
// A Schema never reads anything but itself: references to other documents, by URL or file, are refused. The work that a
// schema and a body can cause together is counted and bounded, and ends with its context.
//
// Defaults are filled in before the check, so that a property with a default is never missing, and what a route reads is
// what has been checked; see fill.go for where defaults are taken from. Numbers that are integers in form become int64 where
// they fit; every other number becomes float64.
package schema

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Limits of a schema. They are far above what routes need and keep compiling below a second.
const (
	MaxSchemaBytes = 64 << 10 // of its JSON text
	MaxSchemaDepth = 64       // levels of objects and arrays
	MaxSchemaNodes = 4096     // values, at every level
)

// Limits of a body, and of any other value that is checked. encoding/json alone would follow 10,000 levels. Code that reads bodies
// from a connection has a limit on their bytes too, which is the lower one.
const (
	MaxBodyBytes  = 16 << 20
	MaxBodyDepth  = 64      // levels of objects and arrays
	MaxBodyNodes  = 200_000 // values, at every level, with defaults filled in
	MaxObjectKeys = 10_000  // members of one object
)

// Schema is a compiled schema. It is immutable and may be used from many goroutines at once.
type Schema struct {
	raw      []byte
	compiled *jsonschema.Schema
	root     *rule
	rules    map[*jsonschema.Schema]*rule
	fill     *filler // nil if no default can be filled in
	origins  origins
	echo     bool
	sets     bool
	names    bool // members of objects, so that there may be others
	automata int

	places    map[string]*jsonschema.Schema // by their pointers
	byName    map[*jsonschema.Schema]bool   // has a $ref that is not a pointer
	choices   map[*jsonschema.Schema]*choice
	presences sync.Once // of present, for which not all schemas are asked
	present   map[presence]map[string]bool
}

// JSON is the text that the schema was compiled from.
func (s *Schema) JSON() []byte { return s.raw }

// Automata is how many instructions the automata of all patterns have.
func (s *Schema) Automata() int { return s.automata }

// Compile reads a schema in JSON Schema 2020-12. Every error is an *Error, which says where in the schema the fault is.
// Patterns are those of package pattern. A `default` that does not satisfy its own schema is refused. The schema keeps raw, which
// must not change any more.
func Compile(raw []byte, options ...Option) (*Schema, error) {
	set := settingsOf(options)
	doc, err := parse(raw)
	if err != nil {
		return nil, err
	}
	all := patterns{}
	compiled, anchored, err := compile(doc, set, &all)
	if err != nil {
		return nil, err
	}
	graph, err := newGraph(compiled, anchored)
	if err != nil {
		return nil, err
	}
	if err := graph.checkCosts(); err != nil {
		return nil, err
	}
	graph.replaceRegexFormat()
	unions := graph.unions(doc)
	choices := graph.choices(unions)
	rules := graph.rules(doc)
	if err := checkPatterns(rules); err != nil {
		return nil, err
	}
	fillers := graph.fillers(choices, set.sets)
	if err := checkDefaults(graph, rules, fillers); err != nil {
		return nil, err
	}
	places := graph.places()
	return &Schema{
		raw: raw, compiled: compiled, root: rules[compiled], rules: rules, fill: fillers[compiled], origins: graph.origins(unions),
		echo: set.echo, sets: set.sets, names: slices.ContainsFunc(slices.Collect(maps.Values(rules)), (*rule).lists),
		automata: all.size, places: places, byName: byName(doc, places), choices: choices,
	}, nil
}

// Check reads a request's body and holds it against the schema. It gives the value as Decode does, with defaults filled in,
// or, if there is anything wrong, what is: at most MaxViolations, whose loc begins with "body". Members come in the order in
// which they are required, then the schema's others by name, then those that it does not name as they were sent. The error is
// the cause of ctx, if that ends first.
func (s *Schema) Check(ctx context.Context, body []byte) (any, []problem.Violation, error) {
	return s.text(NewWorkBudget(ctx), body, inBody)
}

var inBody = []any{"body"}

// CheckText is Check for a text that is not a request's body, such as a model's structured output or a tool's arguments; the
// loc of violations begins with the steps given.
func (s *Schema) CheckText(ctx context.Context, text []byte, at ...any) (any, []problem.Violation, error) {
	return s.text(NewWorkBudget(ctx), text, at)
}

// CheckValue holds a decoded value against the schema, and gives it with defaults filled in and numbers as Decode gives
// them. A value is made of nil, bool, string, []any, map[string]any, int, int64, uint64, float64 and json.Number; it stays
// as it is, and what comes back may share parts with it. The loc of violations begins with the steps given. The error is as
// Check's.
func (s *Schema) CheckValue(ctx context.Context, value any, at ...any) (any, []problem.Violation, error) {
	return s.value(NewWorkBudget(ctx), value, at)
}

func (s *Schema) value(w *WorkBudget, value any, at []any) (any, []problem.Violation, error) {
	doc, err := measure(value)
	if err != nil {
		return nil, []problem.Violation{unreadable(at, err.Error())}, nil
	}
	return s.check(w, doc, nil, at)
}

func (s *Schema) text(w *WorkBudget, text []byte, at []any) (any, []problem.Violation, error) {
	doc, wrong, err := s.document(w, text, at, s.fill)
	if err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	return doc.settled(), nil, nil
}

// document reads a text, and fills it in, if it is valid.
func (s *Schema) document(w *WorkBudget, text []byte, at []any, fill *filler) (document, []problem.Violation, error) {
	doc, wrong, err := s.read(w, text, at)
	if err == nil && len(wrong) == 0 {
		wrong, err = s.judge(w, &doc, text, at, fill)
	}
	return doc, wrong, err
}

func (s *Schema) read(w *WorkBudget, text []byte, at []any) (document, []problem.Violation, error) {
	doc, violation := read(w, text, at)
	if err := w.interrupted(); err != nil {
		return document{}, nil, err
	}
	if violation != nil {
		if s.echo {
			violation.Input = echoOf(*violation)
		}
		return document{}, []problem.Violation{*violation}, nil
	}
	return doc, nil, nil
}

func (s *Schema) check(w *WorkBudget, doc document, text []byte, at []any) (any, []problem.Violation, error) {
	if wrong, err := s.judge(w, &doc, text, at, s.fill); err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	return doc.settled(), nil, nil
}

// judge returns what is wrong with a document after it has been filled in.
func (s *Schema) judge(w *WorkBudget, doc *document, text []byte, at []any, fill *filler) ([]problem.Violation, error) {
	sent := doc.value
	w.matches += matchesPerByte * doc.bytes
	if err := fill.fillIn(doc, w); err != nil {
		return []problem.Violation{refused(at, err)}, w.interrupted()
	}
	e := w.evaluation()
	ok := e.apply(s.root, doc.value, nil, nil, nil)
	switch {
	case w.err != nil:
		stop := doc.repeats.places(doc.value, loc(e.stop), 0)[0]
		return []problem.Violation{refused(append(slices.Clip(at), stop...), w.err)}, w.interrupted()
	case ok:
		return nil, nil
	}
	found, err := s.violations(w, *doc, text, at)
	if s.echo {
		echo(found, sent, len(at))
	}
	return found, err
}

// refused reports what could not be checked: a pattern's text by its place.
func refused(at []any, err error) problem.Violation {
	if errors.Is(err, errMatches) {
		return violation(at, "work", nil)
	}
	return unreadable(at, err.Error())
}

func loc(path []segment) []any {
	out := make([]any, len(path))
	for i, s := range path {
		if out[i] = clip(s.name); s.index >= 0 {
			out[i] = s.index
		}
	}
	return out
}

const errWork = refusal("Too much work to validate")

// Decode reads body within the limits of a body, for routes without a schema. Objects become map[string]any and arrays
// []any. A number written without fraction and exponent becomes int64 where it fits; every other number becomes
// float64, to the nearest if it must. Duplicate names and invalid UTF-8 are refused, as RFC 7493 asks. The error is the
// cause of ctx, where that ends first.
func Decode(ctx context.Context, body []byte) (any, []problem.Violation, error) {
	w := NewWorkBudget(ctx)
	doc, violation := read(w, body, inBody)
	if err := w.interrupted(); err != nil {
		return nil, nil, err
	}
	if violation != nil {
		return nil, []problem.Violation{*violation}, nil
	}
	return doc.settled(), nil, nil
}

func read(w *WorkBudget, text []byte, at []any) (document, *problem.Violation) {
	if len(text) > MaxBodyBytes {
		v := unreadable(at, tooLong(MaxBodyBytes).Error())
		return document{}, &v
	}
	if len(text) == 0 {
		v := violation(at, "required", nil)
		return document{}, &v
	}
	doc, fault := decode(w, text, limits{depth: MaxBodyDepth, nodes: MaxBodyNodes, keys: MaxObjectKeys})
	if fault != nil {
		position, reason := fault.inPython(text)
		v := unreadable(append(slices.Clip(at), position), reason)
		return document{}, &v
	}
	return doc, nil
}

// unreadable has the shape that FastAPI gives to a JSON decode error; its loc ends in the position, in characters, where
// there is one.
func unreadable(loc []any, reason string) problem.Violation {
	return problem.Violation{
		Type: problem.TypeJSONInvalid,
		Loc:  loc,
		Msg:  "JSON decode error",
		Ctx:  map[string]any{"error": reason},
	}
}

// Error is what makes a schema unusable.
type Error struct {
	Pointer string // RFC 6901 JSON pointer within the schema; "" is the whole of it
	Reason  string
}

func (e *Error) Error() string {
	if e.Pointer == "" {
		return "schema: " + e.Reason
	}
	return fmt.Sprintf("schema at %s: %s", e.Pointer, e.Reason)
}
