package expr

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxTypeDepth bounds how far types are followed into a schema; what lies deeper is Dyn.
const maxTypeDepth = 32

// FromSchema gives the type of the values that a JSON Schema (draft 2020-12) accepts, after its defaults have been filled in:
//   - a property that is neither required nor has a default is Optional;
//   - properties that are not declared are Dyn, and none where additionalProperties is false; where it is a schema and
//     no properties are declared, the type is a Map;
//   - a value that may be null is Nullable, and alternatives of different types are Dyn;
//   - a reference is followed within the document; where it leads back to itself the type is Dyn.
//
// It fails on what is not JSON; whether that is a sound schema is for others to say.
func FromSchema(raw []byte) (Type, error) {
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		return Dyn, fmt.Errorf("types of a schema: %w", err)
	}
	s := &schemaTypes{root: root, refs: map[string]Type{}}
	return s.of(root, 0), nil
}

type schemaTypes struct {
	root any
	refs map[string]Type // by reference; Dyn while it is being followed
}

func (s *schemaTypes) of(node any, depth int) Type {
	schema, ok := node.(map[string]any)
	if _, foreign := schema["$id"]; !ok || depth > maxTypeDepth || foreign && depth > 0 {
		return Dyn // true, false, or a document of its own, within which references mean others
	}
	t := s.own(schema, depth)
	if ref, ok := schema["$ref"].(string); ok {
		t = both(t, s.ref(ref, depth))
	}
	if all, ok := schema["allOf"].([]any); ok {
		for _, part := range all {
			t = both(t, s.of(part, depth+1))
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if parts, ok := schema[keyword].([]any); ok {
			t = both(t, s.anyOf(parts, depth))
		}
	}
	return t
}

func (s *schemaTypes) anyOf(parts []any, depth int) Type {
	types := make([]Type, len(parts))
	for i, part := range parts {
		types[i] = s.of(part, depth+1)
	}
	return Common(types...)
}

// ref follows a reference.
func (s *schemaTypes) ref(ref string, depth int) Type {
	if t, ok := s.refs[ref]; ok {
		return t
	}
	node, ok := s.find(ref)
	if !ok {
		return Dyn
	}
	s.refs[ref] = Dyn
	s.refs[ref] = s.of(node, depth+1)
	return s.refs[ref]
}

// find looks up a reference that is a JSON pointer in a URL's fragment.
func (s *schemaTypes) find(ref string) (any, bool) {
	fragment, err := url.PathUnescape(strings.TrimPrefix(ref, "#"))
	if err != nil || !strings.HasPrefix(ref, "#") || fragment != "" && fragment[0] != '/' {
		return nil, false
	}
	node := s.root
	for token := range jsontext.Pointer(fragment).Tokens() {
		switch at := node.(type) {
		case map[string]any:
			node = at[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			node = at[i]
		default:
			return nil, false
		}
	}
	return node, node != nil
}

// own gives the type that a schema's keywords say themselves.
func (s *schemaTypes) own(schema map[string]any, depth int) Type {
	names := typeNames(schema)
	if len(names) == 0 {
		return valuesType(schema)
	}
	types := make([]Type, len(names))
	for i, name := range names {
		types[i] = s.named(name, schema, depth)
	}
	return both(Common(types...), valuesType(schema))
}

func typeNames(schema map[string]any) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var names []string
		for _, name := range t {
			if name, ok := name.(string); ok {
				names = append(names, name)
			}
		}
		return names
	}
	for _, keyword := range []string{"properties", "required"} {
		if schema[keyword] != nil {
			return []string{"object"} // as far as an expression can use it
		}
	}
	return nil
}

func (s *schemaTypes) named(name string, schema map[string]any, depth int) Type {
	switch name {
	case "null":
		return Null
	case "boolean":
		return Bool
	case "integer":
		return Int
	case "number":
		return Double
	case "string":
		return String
	case "array":
		if schema["prefixItems"] != nil {
			return List(Dyn)
		}
		return List(s.of(schema["items"], depth+1))
	case "object":
		return s.object(schema, depth)
	}
	return Dyn
}

func (s *schemaTypes) object(schema map[string]any, depth int) Type {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	fields := make(map[string]Type, len(properties))
	for name, property := range properties {
		fields[name] = s.of(property, depth+1)
		if !slices.Contains(required, any(name)) && !hasDefault(property) {
			fields[name] = Optional(fields[name])
		}
	}
	for _, name := range required {
		if name, ok := name.(string); ok && properties[name] == nil {
			fields[name] = Dyn
		}
	}
	others, declared := schema["additionalProperties"]
	if schema["patternProperties"] != nil {
		return Open(fields)
	}
	if others == false {
		return Object(fields)
	}
	if declared && len(fields) == 0 {
		return Map(s.of(others, depth+1))
	}
	if len(fields) == 0 {
		return Map(Dyn)
	}
	return Open(fields)
}

func hasDefault(property any) bool {
	schema, _ := property.(map[string]any)
	_, ok := schema["default"]
	return ok
}

// valuesType is that of enum's or const's values.
func valuesType(schema map[string]any) Type {
	values, ok := schema["enum"].([]any)
	if value, one := schema["const"]; one {
		values, ok = []any{value}, true
	}
	if !ok || len(values) == 0 {
		return Dyn
	}
	types := make([]Type, len(values))
	for i, value := range values {
		types[i] = valueType(value)
	}
	return Common(types...)
}

func valueType(value any) Type {
	switch v := value.(type) {
	case nil:
		return Null
	case bool:
		return Bool
	case float64:
		if v == math.Trunc(v) {
			return Int
		}
		return Double
	case string:
		return String
	}
	return Dyn
}

// either is the type of a value that has one of two.
func either(a, b Type) Type {
	switch {
	case a.Equal(b):
		return a
	case a.kind == nullKind:
		return Nullable(b)
	case b.kind == nullKind:
		return Nullable(a)
	case a.kind == nullableKind && b.kind == nullableKind:
		return Nullable(either(*a.elem, *b.elem))
	case a.kind == nullableKind:
		return Nullable(either(*a.elem, b))
	case b.kind == nullableKind:
		return Nullable(either(a, *b.elem))
	case a.kind == intKind && b.kind == doubleKind, a.kind == doubleKind && b.kind == intKind:
		return Double
	case a.kind == listKind && b.kind == listKind:
		return List(either(*a.elem, *b.elem))
	}
	return Dyn
}

// both is the type of a value that has two.
func both(a, b Type) Type {
	switch {
	case b.kind == dynKind || a.Equal(b):
		return a
	case a.kind == dynKind:
		return b
	case a.kind == nullableKind:
		return both(*a.elem, b.unnulled())
	case b.kind == nullableKind:
		return both(a, *b.elem)
	case a.kind == intKind && b.kind == doubleKind, a.kind == doubleKind && b.kind == intKind:
		return Int
	case a.kind == objectKind && b.kind == objectKind:
		return bothObjects(a.object, b.object)
	case a.kind == mapKind && b.kind == objectKind:
		return b
	case b.kind == mapKind && a.kind == objectKind:
		return a
	case a.kind == listKind && b.kind == listKind, a.kind == mapKind && b.kind == mapKind:
		return of(a.kind, both(*a.elem, *b.elem))
	}
	return Dyn
}

func (t Type) unnulled() Type {
	if t.kind == nullableKind {
		return *t.elem
	}
	return t
}

// bothObjects has the members of both; one that either has to have is not missing.
func bothObjects(a, b *object) Type {
	fields := map[string]Type{}
	for name, t := range a.fields {
		fields[name] = t
		if other, ok := b.fields[name]; ok {
			fields[name] = both(t.Unwrapped(), other.Unwrapped())
			if t.IsOptional() && other.IsOptional() {
				fields[name] = Optional(fields[name])
			}
		}
	}
	for name, t := range b.fields {
		if _, ok := fields[name]; !ok {
			fields[name] = t
		}
	}
	return newObject(fields, a.open && b.open)
}
