package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// choice determines the branches of a schema's anyOf or oneOf that are meant, as far as that is clear without a check.
type choice struct {
	always []*jsonschema.Schema // by every value, or by every one of its type
	told   []*union             // by what a property has
}

// choices finds those of all schemas that have any. A branch is clear if it is the only one that is not null, as in a nullable
// object, or the only one that an object, or an array, may satisfy; or where each branch lists other values of one property.
func (g *graph) choices(unions map[*jsonschema.Schema]*union) map[*jsonschema.Schema]*choice {
	all := map[*jsonschema.Schema]*choice{}
	known, accepted := listings{}, acceptances{}
	for _, n := range g.nodes {
		s := n.schema
		c := &choice{}
		for _, branches := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
			switch u := unions[s]; {
			case len(branches) == 0:
			case u != nil:
				c.told = []*union{u}
			default:
				c.decide(s, branches, known, accepted)
			}
		}
		if len(c.always)+len(c.told) > 0 {
			all[s] = c
		}
	}
	return all
}

func (c *choice) decide(s *jsonschema.Schema, branches []*jsonschema.Schema, known listings, accepted acceptances) {
	meant := slices.DeleteFunc(slices.Clone(branches), isNull)
	if len(meant) == 1 {
		c.always = append(c.always, meant[0])
		return
	}
	if u := known.apart(s, meant); u != nil {
		c.told = append(c.told, u)
		return
	}
	for _, kind := range []string{"object", "array"} {
		of := slices.DeleteFunc(slices.Clone(meant), func(s *jsonschema.Schema) bool { return !accepted.by(s, kind) })
		if len(of) == 1 && !slices.Contains(c.always, of[0]) {
			c.always = append(c.always, of[0])
		}
	}
}

func isNull(s *jsonschema.Schema) bool {
	if s.Types != nil {
		return slices.Equal(s.Types.ToStrings(), []string{"null"})
	}
	return s.Const != nil && *s.Const == nil
}

// acceptances report whether a value of a type may satisfy a schema. Each is found once, since a schema may lead to another by very
// many ways.
type acceptances map[acceptance]bool

type acceptance struct {
	schema *jsonschema.Schema
	kind   string
}

func (a acceptances) by(s *jsonschema.Schema, kind string) bool {
	key := acceptance{s, kind}
	if found, ok := a[key]; ok {
		return found
	}
	a[key] = true // to a schema that leads back to itself
	a[key] = a.find(s, kind)
	return a[key]
}

func (a acceptances) find(s *jsonschema.Schema, kind string) bool {
	isOther := func(v any) bool { return typeOf(v) != kind }
	switch {
	case s.Bool != nil:
		return *s.Bool
	case s.Types != nil && !slices.Contains(s.Types.ToStrings(), kind),
		s.Const != nil && isOther(*s.Const),
		s.Enum != nil && !slices.ContainsFunc(s.Enum.Values, func(v any) bool { return !isOther(v) }):
		return false
	}
	may := func(s *jsonschema.Schema) bool { return a.by(s, kind) }
	for _, also := range same(s) {
		if !may(also) {
			return false
		}
	}
	return (len(s.AnyOf) == 0 || slices.ContainsFunc(s.AnyOf, may)) && (len(s.OneOf) == 0 || slices.ContainsFunc(s.OneOf, may))
}
