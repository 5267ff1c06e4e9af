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

// Defaults says which defaults are filled in, by pointers into a schema. A *schema.Schema is one.
type Defaults interface {
	// HasDefault says whether the schema of a property has a default.
	HasDefault(pointer string) bool
	// Fills says whether every value gets defaults that satisfies a branch of an anyOf or oneOf.
	Fills(pointer, keyword string, branch int) bool
}

// FromSchema gives the type of the values that a JSON Schema (draft 2020-12) accepts, after its defaults have been filled in:
//   - a property that is neither required nor filled in is Optional;
//   - properties that are not declared are Dyn, and none where additionalProperties is false; where it is a schema and
//     no properties are declared, the type is a Map;
//   - a value that may be null is Nullable, and alternatives of different types are Dyn;
//   - a reference is followed within the document; where it leads back to itself the type is Dyn.
//
// Without defaults none are filled in. It fails on what is not JSON; whether that is a sound schema is for others to say.
func FromSchema(raw []byte, defaults Defaults) (Type, error) {
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		return Dyn, fmt.Errorf("types of a schema: %w", err)
	}
	s := &schemaTypes{root: root, refs: map[reference]Type{}, defaults: defaults}
	return s.of(root, schemaPlace{filled: defaults != nil}), nil
}

type schemaTypes struct {
	root     any
	refs     map[reference]Type // Dyn while it is being followed
	defaults Defaults
}

// schemaPlace is where in the document a schema stands, how it was come to, and whether its values get defaults.
type schemaPlace struct {
	pointer string
	depth   int
	filled  bool
}

type reference struct {
	to     string
	filled bool
}

func (p schemaPlace) below(steps ...string) schemaPlace {
	at := jsontext.Pointer(p.pointer)
	for _, step := range steps {
		at = at.AppendToken(step)
	}
	return schemaPlace{string(at), p.depth + 1, p.filled}
}

func (s *schemaTypes) of(node any, at schemaPlace) Type {
	schema, ok := node.(map[string]any)
	if _, foreign := schema["$id"]; !ok || at.depth > maxTypeDepth || foreign && at.depth > 0 {
		return Dyn // true, false, or a document of its own, within which references mean others
	}
	t := s.own(schema, at)
	if ref, ok := schema["$ref"].(string); ok {
		t = both(t, s.ref(ref, at))
	}
	if all, ok := schema["allOf"].([]any); ok {
		for i, part := range all {
			t = both(t, s.of(part, at.below("allOf", strconv.Itoa(i))))
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if parts, ok := schema[keyword].([]any); ok {
			t = both(t, s.anyOf(parts, keyword, at))
		}
	}
	return t
}

func (s *schemaTypes) anyOf(parts []any, keyword string, at schemaPlace) Type {
	types := make([]Type, len(parts))
	for i, part := range parts {
		branch := at.below(keyword, strconv.Itoa(i))
		branch.filled = at.filled && s.defaults.Fills(at.pointer, keyword, i)
		types[i] = s.of(part, branch)
	}
	return Common(types...)
}

// ref follows a reference.
func (s *schemaTypes) ref(ref string, at schemaPlace) Type {
	key := reference{ref, at.filled}
	if t, ok := s.refs[key]; ok {
		return t
	}
	node, pointer, ok := s.find(ref)
	if !ok {
		return Dyn
	}
	s.refs[key] = Dyn
	s.refs[key] = s.of(node, schemaPlace{pointer, at.depth + 1, at.filled})
	return s.refs[key]
}

// find looks up a reference that is a JSON pointer in a URL's fragment.
func (s *schemaTypes) find(ref string) (node any, pointer string, ok bool) {
	fragment, err := url.PathUnescape(strings.TrimPrefix(ref, "#"))
	if err != nil || !strings.HasPrefix(ref, "#") || fragment != "" && fragment[0] != '/' {
		return nil, "", false
	}
	node = s.root
	for token := range jsontext.Pointer(fragment).Tokens() {
		switch at := node.(type) {
		case map[string]any:
			node = at[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, "", false
			}
			node = at[i]
		default:
			return nil, "", false
		}
	}
	return node, fragment, node != nil
}

// own gives the type that a schema's keywords say themselves.
func (s *schemaTypes) own(schema map[string]any, at schemaPlace) Type {
	names := typeNames(schema)
	if len(names) == 0 {
		return valuesType(schema)
	}
	types := make([]Type, len(names))
	for i, name := range names {
		types[i] = s.named(name, schema, at)
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

func (s *schemaTypes) named(name string, schema map[string]any, at schemaPlace) Type {
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
		return List(s.of(schema["items"], at.below("items")))
	case "object":
		return s.object(schema, at)
	}
	return Dyn
}

func (s *schemaTypes) object(schema map[string]any, at schemaPlace) Type {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	fields := make(map[string]Type, len(properties))
	for name, property := range properties {
		here := at.below("properties", name)
		fields[name] = s.of(property, here)
		given := at.filled && s.defaults.HasDefault(here.pointer)
		if !given && !slices.Contains(required, any(name)) {
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
		return Map(s.of(others, at.below("additionalProperties")))
	}
	if len(fields) == 0 {
		return Map(Dyn)
	}
	return Open(fields)
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
