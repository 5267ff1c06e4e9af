package expr

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/types"
)

// Type describes the values that a variable, or a member of one, can have. Types are immutable; the zero Type is Dyn. Compare them
// with Equal.
type Type struct {
	kind   kind
	elem   *Type   // of a list, map, optional or nullable
	object *object // of an object
}

type kind uint8

const (
	dynKind kind = iota
	nullKind
	boolKind
	intKind
	doubleKind
	stringKind
	listKind
	mapKind
	optionalKind
	nullableKind
	objectKind
)

// The types without parts. A Dyn value is checked when it is used, not when the configuration loads. An Int may be found
// as a whole float64, and a Double as an int64, since JSON does not distinguish them.
var (
	Dyn    = Type{}
	Null   = Type{kind: nullKind}
	Bool   = Type{kind: boolKind}
	Int    = Type{kind: intKind}
	Double = Type{kind: doubleKind}
	String = Type{kind: stringKind}
)

// List is the type of []any whose items have one type. Items are never missing: an optional type loses that.
func List(item Type) Type { return of(listKind, item.Unwrapped()) }

// Map is the type of map[string]any with any names, whose members have one type; an optional type loses that, as in List.
func Map(member Type) Type { return of(mapKind, member.Unwrapped()) }

// Optional is the type of a member that may be missing. Of an optional it is that one.
func Optional(t Type) Type {
	if t.kind == optionalKind {
		return t
	}
	return of(optionalKind, t)
}

// Nullable is the type of what is null or has type t. CEL knows that of scalars only; else the result is Dyn.
func Nullable(t Type) Type {
	switch t.kind {
	case boolKind, intKind, doubleKind, stringKind:
		return of(nullableKind, t)
	case nullKind, nullableKind:
		return t
	default:
		return Dyn
	}
}

// Object is the type of a map[string]any with these members; a reference to another is an error when the configuration
// loads. Members of an optional type may be missing.
func Object(fields map[string]Type) Type { return newObject(fields, false) }

// Open is an Object that may have other members, of type Dyn.
func Open(fields map[string]Type) Type { return newObject(fields, true) }

// With is an object type with members in addition, or in the place of those of the same names. Any other type stays as it is.
func (t Type) With(members map[string]Type) Type {
	if t.kind != objectKind || len(members) == 0 {
		return t
	}
	fields := maps.Clone(t.object.fields)
	if fields == nil {
		fields = map[string]Type{}
	}
	maps.Copy(fields, members)
	return newObject(fields, t.object.open)
}

func of(k kind, elem Type) Type { return Type{kind: k, elem: &elem} }

// object is named for its structure, so that equal objects are one type to CEL.
type object struct {
	name   string // cannot be written in CEL, so that no expression can make such an object
	fields map[string]Type
	open   bool
}

func newObject(fields map[string]Type, open bool) Type {
	digest := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		digest.Write([]byte(strconv.Quote(name) + ":" + fields[name].key() + ","))
	}
	name := "$" + hex.EncodeToString(digest.Sum(nil)[:16])
	if open {
		name += "+"
	}
	return Type{kind: objectKind, object: &object{name: name, fields: maps.Clone(fields), open: open}}
}

// field gives the type of a member that the object can have.
func (o *object) field(name string) (Type, bool) {
	t, ok := o.fields[name]
	return t, ok || o.open
}

// Common is the type of a value that has one of these types, which may be Dyn.
func Common(all ...Type) Type {
	if len(all) == 0 {
		return Dyn
	}
	t := all[0]
	for _, other := range all[1:] {
		t = either(t, other)
	}
	return t
}

// Equal reports whether two types have the same values.
func (t Type) Equal(other Type) bool { return t.key() == other.key() }

// Element gives the type of a List's items; Dyn for any other type.
func (t Type) Element() Type {
	if t.kind == listKind {
		return *t.elem
	}
	return Dyn
}

// Unwrapped gives the type that an Optional has when it is not missing; any other type is its own.
func (t Type) Unwrapped() Type {
	if t.kind == optionalKind {
		return *t.elem
	}
	return t
}

// IsOptional reports whether a value may be missing.
func (t Type) IsOptional() bool { return t.kind == optionalKind }

// String names the type for an error message.
func (t Type) String() string {
	switch t.kind { //nolint:exhaustive // the others have CEL's names
	case objectKind:
		return "object"
	case nullableKind: // which CEL calls a wrapper
		return t.elem.String() + " or null"
	}
	return t.describe(Type.String)
}

// key identifies a type.
func (t Type) key() string {
	if t.kind == objectKind {
		return t.object.name
	}
	return t.describe(Type.key)
}

func (t Type) describe(part func(Type) string) string {
	switch t.kind {
	case listKind:
		return "list(" + part(*t.elem) + ")"
	case mapKind:
		return "map(string, " + part(*t.elem) + ")"
	case optionalKind:
		return "optional_type(" + part(*t.elem) + ")"
	case nullableKind:
		return "wrapper(" + part(*t.elem) + ")"
	default:
		return t.cel().String()
	}
}

// cel gives CEL's type.
func (t Type) cel() *types.Type {
	switch t.kind {
	case nullKind:
		return types.NullType
	case boolKind:
		return types.BoolType
	case intKind:
		return types.IntType
	case doubleKind:
		return types.DoubleType
	case stringKind:
		return types.StringType
	case listKind:
		return types.NewListType(t.elem.cel())
	case mapKind:
		return types.NewMapType(types.StringType, t.elem.cel())
	case optionalKind:
		return types.NewOptionalType(t.elem.cel())
	case nullableKind:
		return types.NewNullableType(t.elem.cel())
	case objectKind:
		return types.NewObjectType(t.object.name)
	case dynKind:
	}
	return types.DynType
}

// objects are the object types of an Env by name.
type objects map[string]*object

// add takes in the object types that t is made of.
func (o objects) add(t Type) {
	if t.elem != nil {
		o.add(*t.elem)
	}
	if t.kind != objectKind || o[t.object.name] != nil {
		return
	}
	o[t.object.name] = t.object
	for _, field := range t.object.fields {
		o.add(field)
	}
}

// output gives the type of what an expression of CEL's type leaves behind: plain values, as JSON has them.
func (o objects) output(t *types.Type) Type {
	switch t.Kind() {
	case types.NullTypeKind:
		return Null
	case types.BoolKind:
		return o.nullable(t, Bool)
	case types.IntKind:
		return o.nullable(t, Int)
	case types.DoubleKind:
		return o.nullable(t, Double)
	case types.StringKind:
		return o.nullable(t, String)
	case types.BytesKind, types.TimestampKind, types.DurationKind:
		return String
	case types.ListKind:
		return List(o.output(t.Parameters()[0]))
	case types.MapKind:
		return Map(o.output(t.Parameters()[1]))
	case types.StructKind:
		if known := o[t.TypeName()]; known != nil {
			return Type{kind: objectKind, object: known}
		}
	default:
	}
	return Dyn
}

func (objects) nullable(t *types.Type, scalar Type) Type {
	if t.IsAssignableType(types.NullType) {
		return Nullable(scalar)
	}
	return scalar
}

// accepts reports whether values of another type can be of this one.
func (t Type) accepts(other Type) bool {
	switch {
	case t.kind == dynKind || other.kind == dynKind || t.Equal(other):
		return true
	case t.kind == doubleKind:
		return other.kind == intKind
	case t.kind == nullableKind:
		return other.kind == nullKind || t.elem.accepts(other)
	case t.kind == listKind && other.kind == listKind, t.kind == mapKind && other.kind == mapKind:
		return t.elem.accepts(*other.elem)
	}
	return (t.kind == objectKind || t.kind == mapKind) && (other.kind == objectKind || other.kind == mapKind)
}

// has reports whether a plain value is of the type, as far as its first level goes.
func (t Type) has(value any) bool {
	ok := true
	switch t.kind {
	case nullKind:
		ok = value == nil
	case boolKind:
		_, ok = value.(bool)
	case intKind:
		_, ok = value.(int64)
	case doubleKind:
		if _, ok = value.(float64); !ok {
			_, ok = value.(int64)
		}
	case stringKind:
		_, ok = value.(string)
	case listKind:
		_, ok = value.([]any)
	case mapKind, objectKind:
		_, ok = value.(map[string]any)
	case nullableKind:
		ok = value == nil || t.elem.has(value)
	case optionalKind, dynKind:
	}
	return ok
}
