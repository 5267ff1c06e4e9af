// Package schema checks JSON against JSON Schema 2020-12 and says what is wrong the way FastAPI does.
//
// A Schema never reads anything but itself: references to other documents, by URL or file, are refused. The work that a
// schema and a body can cause together is bounded before it starts, since it cannot be interrupted.
package schema

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Limits of a schema. They are far above what routes need and keep compiling below a second.
const (
	MaxSchemaBytes  = 64 << 10
	maxSchemaDepth  = 64
	maxSchemaNodes  = 4096
	maxPatternBytes = 1024
)

// Limits of a body. encoding/json alone would follow 10,000 levels.
const (
	MaxBodyDepth = 64
	MaxBodyNodes = 200_000
)

// Schema is a compiled schema. It is immutable and may be used from many goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
	growth   growth
}

// Compile reads a schema in JSON Schema 2020-12; `format` is an annotation, as in that draft's default. Every error is
// an *Error, which says where in the schema the fault is. Patterns are RE2's (package regexp).
func Compile(raw []byte) (*Schema, error) {
	doc, err := parse(raw)
	if err != nil {
		return nil, err
	}
	compiled, anchored, err := compile(doc)
	if err != nil {
		return nil, err
	}
	graph, err := newGraph(compiled, anchored)
	if err != nil {
		return nil, err
	}
	g, err := graph.growth()
	if err != nil {
		return nil, err
	}
	graph.replacePropertyNames()
	return &Schema{compiled: compiled, growth: g}, nil
}

// Check reads body and holds it against the schema. It gives the value as Decode does, or, if there is anything wrong,
// what is: sorted by place, at most MaxViolations of them.
func (s *Schema) Check(body []byte) (any, []problem.Violation) {
	doc, violation := read(body)
	if violation != nil {
		return nil, []problem.Violation{*violation}
	}
	if !s.growth.affords(doc) {
		return nil, []problem.Violation{unreadable(0, "Too much work to validate")}
	}
	if err := s.compiled.Validate(doc.value); err != nil {
		return nil, violations(doc.value, err)
	}
	return doc.settled(), nil
}

// Decode reads body within the limits of a body, for routes without a schema. Objects become map[string]any and arrays
// []any. A number written without fraction and exponent becomes int64 where it fits; every other number becomes
// float64, to the nearest where it must. Duplicate names and invalid UTF-8 are refused, as RFC 7493 asks.
func Decode(body []byte) (any, []problem.Violation) {
	doc, violation := read(body)
	if violation != nil {
		return nil, []problem.Violation{*violation}
	}
	return doc.settled(), nil
}

func read(body []byte) (document, *problem.Violation) {
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		v := violation([]any{"body"}, "required", nil)
		return document{}, &v
	}
	doc, fault := decode(body, limits{depth: MaxBodyDepth, nodes: MaxBodyNodes})
	if fault != nil {
		v := unreadable(fault.offset, fault.reason)
		return document{}, &v
	}
	return doc, nil
}

// unreadable has the shape that FastAPI gives to a JSON decode error, with the offset in bytes.
func unreadable(offset int64, reason string) problem.Violation {
	return problem.Violation{
		Type: problem.TypeJSONInvalid,
		Loc:  []any{"body", int(offset)},
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
