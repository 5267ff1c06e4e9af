package expr

import (
	"maps"
	"math"
	"slices"

	"github.com/llmservice/llmservice/runtime/schema"
)

const (
	// maxTypeDepth bounds how far types are followed into a schema; what lies deeper is Dyn.
	maxTypeDepth = 32
	// maxMerged bounds the members of all pairs of objects that apply to one value; of what is beyond, the type is Dyn.
	maxMerged = 50_000
)

// FromSchema gives the type of the values that a schema accepts, after its defaults have been filled in:
//   - a property that is neither required nor filled in is Optional;
//   - properties that are not declared are Dyn, and none where additionalProperties is false; if it is a schema and
//     no properties are declared, the type is a Map;
//   - a value that may be null is Nullable, and alternatives of different types are Dyn;
//   - a reference is followed within the document; where it leads back to itself the type is Dyn.
func FromSchema(s *schema.Schema) Type {
	return newSchemaTypes().of(s.Root(), schemaPlace{filled: true})
}

type schemaTypes struct {
	refs map[reference]Type // of what references lead to; Dyn while that is being followed
	// merged has what pairs of objects were made into, by their names: a part to which many references lead would otherwise be
	// merged once for each way to it. members counts those of all pairs.
	merged  map[[2]string]Type
	members int
}

func newSchemaTypes() *schemaTypes {
	return &schemaTypes{refs: map[reference]Type{}, merged: map[[2]string]Type{}}
}

type reference struct {
	to     schema.Subschema
	filled bool
}

// schemaPlace is how a schema was reached, and whether its values get defaults.
type schemaPlace struct {
	depth  int
	filled bool
}

func (p schemaPlace) below() schemaPlace { return schemaPlace{p.depth + 1, p.filled} }

func (s *schemaTypes) of(here schema.Subschema, at schemaPlace) Type {
	if at.depth > maxTypeDepth || here.IsResource() && at.depth > 0 {
		return Dyn
	}
	t := s.own(here, at)
	if to, ok := here.Reference(); ok {
		t = s.both(t, s.ref(reference{to, at.filled}, at))
	}
	for _, part := range here.AllOf() {
		t = s.both(t, s.of(part, at.below()))
	}
	for _, branches := range [][]schema.Alternative{here.AnyOf(), here.OneOf()} {
		t = s.both(t, s.anyOf(branches, at))
	}
	return t
}

func (s *schemaTypes) anyOf(branches []schema.Alternative, at schemaPlace) Type {
	types := make([]Type, len(branches))
	for i, branch := range branches {
		below := at.below()
		below.filled = at.filled && branch.Filled
		types[i] = s.of(branch.Subschema, below)
	}
	return Common(types...)
}

func (s *schemaTypes) ref(r reference, at schemaPlace) Type {
	if t, ok := s.refs[r]; ok {
		return t
	}
	s.refs[r] = Dyn
	s.refs[r] = s.of(r.to, at.below())
	return s.refs[r]
}

// own gives the type that a schema's keywords say themselves.
func (s *schemaTypes) own(here schema.Subschema, at schemaPlace) Type {
	names := here.Types()
	if len(names) == 0 && here.HasProperties() {
		names = []string{"object"} // as far as an expression can use it
	}
	types := make([]Type, len(names))
	for i, name := range names {
		types[i] = s.named(name, here, at)
	}
	return s.both(Common(types...), valuesType(here.Values()))
}

func (s *schemaTypes) named(name string, here schema.Subschema, at schemaPlace) Type {
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
		if items, ok := here.Items(); ok {
			return List(s.of(items, at.below()))
		}
		return List(Dyn)
	case "object":
		return s.object(here, at)
	}
	return Dyn
}

func (s *schemaTypes) object(here schema.Subschema, at schemaPlace) Type {
	fields, required := map[string]Type{}, here.Required()
	for name, property := range here.Properties() {
		fields[name] = s.of(property, at.below())
		given := at.filled && property.HasDefault()
		if !given && !slices.Contains(required, name) {
			fields[name] = Optional(fields[name])
		}
	}
	for _, name := range required {
		if _, declared := fields[name]; !declared {
			fields[name] = Dyn
		}
	}
	others, declared := here.Others()
	switch {
	case here.HasPatterns():
		return Open(fields)
	case here.IsClosed():
		return Object(fields)
	case declared && len(fields) == 0:
		return Map(s.of(others, at.below()))
	case len(fields) == 0:
		return Map(Dyn)
	}
	return Open(fields)
}

// valuesType is that of the only values that a schema allows.
func valuesType(values []any) Type {
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
	case int64:
		return Int
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

// given is the type of any value, for messages.
func given(value any) Type {
	switch v := value.(type) {
	case []any:
		return List(Dyn)
	case map[string]any:
		return Map(Dyn)
	case uint64:
		return Int
	default:
		return valueType(v)
	}
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
func (s *schemaTypes) both(a, b Type) Type {
	switch {
	case b.kind == dynKind || a.Equal(b):
		return a
	case a.kind == dynKind:
		return b
	case a.kind == nullableKind:
		return s.both(*a.elem, b.unnulled())
	case b.kind == nullableKind:
		return s.both(a, *b.elem)
	case a.kind == intKind && b.kind == doubleKind, a.kind == doubleKind && b.kind == intKind:
		return Int
	case a.kind == objectKind && b.kind == objectKind:
		return s.bothObjects(a.object, b.object)
	case a.kind == mapKind && b.kind == objectKind:
		return b
	case b.kind == mapKind && a.kind == objectKind:
		return a
	case a.kind == listKind && b.kind == listKind, a.kind == mapKind && b.kind == mapKind:
		return of(a.kind, s.both(*a.elem, *b.elem))
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
func (s *schemaTypes) bothObjects(a, b *object) Type {
	pair := [2]string{a.name, b.name}
	if t, ok := s.merged[pair]; ok {
		return t
	}
	if s.members += len(a.fields) + len(b.fields); s.members > maxMerged {
		return Dyn
	}
	fields := map[string]Type{}
	for _, name := range slices.Sorted(maps.Keys(a.fields)) { // in which order the bound is reached must not change the type
		t := a.fields[name]
		fields[name] = t
		if other, ok := b.fields[name]; ok {
			fields[name] = s.both(t.Unwrapped(), other.Unwrapped())
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
	s.merged[pair] = newObject(fields, a.open && b.open)
	return s.merged[pair]
}
