package operator

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
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

// differences are the members of a type that another has not, or as something else. The names of the types do not matter: JSON has none.
func (s shapes) differences(of string, others shapes, other string) []string {
	for _, prefix := range []string{"[]", "map "} {
		inner, isOne := strings.CutPrefix(of, prefix)
		otherInner, otherIsOne := strings.CutPrefix(other, prefix)
		if isOne && otherIsOne {
			return s.differences(inner, others, otherInner)
		}
	}
	if s[of] == nil || others[other] == nil {
		if of == other && s[of] == nil {
			return nil
		}
		return []string{fmt.Sprintf("%s, where this release has %q", of, other)}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(s[of])) {
		for _, difference := range s.differences(s[of][name], others, others[other][name]) {
			found = append(found, name+": "+difference)
		}
	}
	return found
}

func TestShapesAreCompared(t *testing.T) {
	type inner struct {
		Name string `json:"name"`
	}
	type renamed struct {
		Name  string `json:"name"`
		Added int    `json:"added"`
	}
	type changed struct {
		Name int `json:"name"`
	}
	was := shapesOf(reflect.TypeFor[struct {
		Items []inner `json:"items"`
	}]())
	for want, now := range map[string]reflect.Type{
		"": reflect.TypeFor[struct {
			Items []renamed `json:"items"`
		}](),
		`items: name: string, where this release has "number"`: reflect.TypeFor[struct {
			Items []changed `json:"items"`
		}](),
		`items: []inner, where this release has "inner"`: reflect.TypeFor[struct {
			Items inner `json:"items"`
		}](),
		`items: []inner, where this release has ""`: reflect.TypeFor[struct{}](),
	} {
		if got := strings.Join(was.differences("", shapesOf(now), ""), "; "); got != want {
			t.Errorf("%v: %q, want %q", now, got, want)
		}
	}
}
