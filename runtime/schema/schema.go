// Package schema checks JSON against JSON Schema 2020-12 and says what is wrong the way FastAPI does.
//
// A Schema never reads anything but itself: references to other documents, by URL or file, are refused. The work that a
// schema and a body can cause together is bounded before it starts, since it cannot be interrupted.
//
// Defaults are filled in before the check, so that a property with a default is never missing, and what a route reads is
// what has been checked; see fill.go for where defaults are taken from. Numbers that are integers in form become int64 where
// they fit; every other number becomes float64.
package schema

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Limits of a schema. They are far above what routes need and keep compiling below a second.
const (
	MaxSchemaBytes = 64 << 10 // of its JSON text
	MaxSchemaDepth = 64       // levels of objects and arrays
	MaxSchemaNodes = 4096     // values, at every level
)

// Limits of a body, and of any other value that is checked. encoding/json alone would follow 10,000 levels. Who reads bodies
// from a connection has a limit on their bytes too, which is the lower one.
const (
	MaxBodyBytes  = 16 << 20
	MaxBodyDepth  = 64      // levels of objects and arrays
	MaxBodyNodes  = 200_000 // values, at every level, with defaults filled in
	MaxObjectKeys = 10_000  // members of one object
)

// Schema is a compiled schema. It is immutable and may be used from many goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
	growth   growth
	fill     *filler // nil where no default can be filled in
	origins  origins
	echo     bool
	automata int
}

// Automata is how many instructions the automata of all patterns have.
func (s *Schema) Automata() int { return s.automata }

// Compile reads a schema in JSON Schema 2020-12. Every error is an *Error, which says where in the schema the fault is.
// Patterns are those of package pattern. A `default` that does not satisfy its own schema is refused.
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
	costs, err := graph.costs()
	if err != nil {
		return nil, err
	}
	graph.replacePropertyNames()
	graph.replaceRegexFormat()
	fillers := graph.fillers()
	if err := checkDefaults(graph, costs, fillers); err != nil {
		return nil, err
	}
	return &Schema{compiled: compiled, growth: costs.of(0), fill: fillers[compiled], origins: graph.origins(doc), echo: set.echo, automata: all.size}, nil
}

// Check reads a request's body and holds it against the schema. It gives the value as Decode does, with defaults filled in,
// or, if there is anything wrong, what is: at most MaxViolations, whose loc begins with "body". Members come in the order in
// which they are required, then the schema's others by name, then those that it does not name as they were sent.
func (s *Schema) Check(body []byte) (any, []problem.Violation) { return s.text(body, inBody) }

var inBody = []any{"body"}

// CheckText is Check for a text that is no request's body, such as a model's structured output or a tool's arguments; the
// loc of violations begins with the steps given.
func (s *Schema) CheckText(text []byte, at ...any) (any, []problem.Violation) {
	return s.text(text, at)
}

// CheckValue holds a decoded value against the schema, and gives it with defaults filled in and numbers as Decode gives
// them. A value is made of nil, bool, string, []any, map[string]any, int, int64, uint64, float64 and json.Number; it stays
// as it is, and what comes back may share parts with it. The loc of violations begins with the steps given.
func (s *Schema) CheckValue(value any, at ...any) (any, []problem.Violation) {
	doc, err := measure(value)
	if err != nil {
		return nil, []problem.Violation{unreadable(at, err.Error())}
	}
	return s.check(doc, nil, at)
}

func (s *Schema) text(text []byte, at []any) (any, []problem.Violation) {
	doc, violation := read(text, at)
	if violation != nil {
		if s.echo {
			violation.Input = echoOf(*violation)
		}
		return nil, []problem.Violation{*violation}
	}
	return s.check(doc, text, at)
}

func (s *Schema) check(doc document, text []byte, at []any) (any, []problem.Violation) {
	sent := doc.value
	if s.fill != nil {
		steps := maxVisits
		if err := s.fill.fillIn(&doc, &steps); err != nil {
			return nil, []problem.Violation{unreadable(at, err.Error())}
		}
	}
	if !s.growth.affords(doc) {
		return nil, []problem.Violation{unreadable(at, errWork.Error())}
	}
	if err := s.compiled.Validate(doc.value); err != nil {
		found := s.violations(doc.value, text, at, err)
		if s.echo {
			echo(found, sent, len(at))
		}
		return nil, found
	}
	return doc.settled(), nil
}

const errWork = refusal("Too much work to validate")

// Decode reads body within the limits of a body, for routes without a schema. Objects become map[string]any and arrays
// []any. A number written without fraction and exponent becomes int64 where it fits; every other number becomes
// float64, to the nearest where it must. Duplicate names and invalid UTF-8 are refused, as RFC 7493 asks.
func Decode(body []byte) (any, []problem.Violation) {
	doc, violation := read(body, inBody)
	if violation != nil {
		return nil, []problem.Violation{*violation}
	}
	return doc.settled(), nil
}

func read(text []byte, at []any) (document, *problem.Violation) {
	if len(text) > MaxBodyBytes {
		v := unreadable(at, tooLong(MaxBodyBytes).Error())
		return document{}, &v
	}
	if len(text) == 0 {
		v := violation(at, "required", nil)
		return document{}, &v
	}
	doc, fault := decode(text, limits{depth: MaxBodyDepth, nodes: MaxBodyNodes, keys: MaxObjectKeys})
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
