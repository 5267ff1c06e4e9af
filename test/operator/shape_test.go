package operator

import (
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// shapes are types as JSON has them: the members of each struct, each with its type, which is string, number, bool, any, []TYPE, map TYPE
// or the name of a struct.
type shapes map[string]map[string]string

// shapesOf are the shapes of a type, and of all types in it. .ci/record-release has older trees use it, too.
func shapesOf(of reflect.Type) shapes {
	all := shapes{}
	all.add(of)
	return all
}

func (s shapes) add(of reflect.Type) string {
	if of == reflect.TypeFor[time.Time]() || of.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return "string"
	}
	switch of.Kind() {
	case reflect.Pointer:
		return s.add(of.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return "number"
	case reflect.Map:
		return "map " + s.add(of.Elem())
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 { // JSON as it is
			return "any"
		}
		return "[]" + s.add(of.Elem())
	case reflect.Struct:
		if s[of.Name()] == nil {
			s[of.Name()] = map[string]string{} // before its members, which may have it, too
			maps.Copy(s[of.Name()], s.members(of))
		}
		return of.Name()
	default:
		panic("JSON has no type " + of.String())
	}
}

// members are those of a struct, and of what is embedded in it.
func (s shapes) members(of reflect.Type) map[string]string {
	found := map[string]string{}
	for field := range of.Fields() {
		tag := strings.Split(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && tag[0] == "", slices.Contains(tag[1:], "inline"):
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(found, s.members(inner))
		case tag[0] != "-" && field.IsExported():
			found[tag[0]] = s.add(field.Type)
		}
	}
	return found
}
