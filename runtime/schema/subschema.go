package schema

import (
	"iter"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Subschema is a Schema or a part of it, for code that asks what its values can be. It answers by what has been compiled, so
// that a keyword, a reference or a default means the same to them as it does when a value is checked. Two are equal if they
// stand at the same place of the same schema.
type Subschema struct {
	of *Schema
	at *jsonschema.Schema
}

// Alternative is one schema of an anyOf or oneOf.
type Alternative struct {
	Subschema

	// Filled says that its defaults are filled in, in every value that satisfies it.
	Filled bool
}

// Root is the whole of it.
func (s *Schema) Root() Subschema { return Subschema{s, s.compiled} }

// IsText reports whether the schema says that each value is a string.
func (s *Schema) IsText() bool { return slices.Equal(s.Root().Types(), []string{"string"}) }

// IsResource reports whether it has its own address ($id), so that it is meant as another document.
func (s Subschema) IsResource() bool { return s.at.ID != "" }

// Types lists the names in its `type`, in no particular order; nil if every type is allowed.
func (s Subschema) Types() []string {
	if s.at.Types == nil {
		return nil
	}
	return s.at.Types.ToStrings()
}

// Values lists the only values that its const or enum allows, with numbers as int64 or float64; nil without either.
func (s Subschema) Values() []any {
	switch {
	case s.at.Const != nil:
		return []any{settle(*s.at.Const)}
	case s.at.Enum != nil:
		values, _ := settle(s.at.Enum.Values).([]any)
		return values
	}
	return nil
}

// Reference is what its $ref leads to by a pointer within the document. A reference by an anchor or an address is none here.
func (s Subschema) Reference() (Subschema, bool) {
	to := s.at.Ref
	if to == nil || s.of.byName[s.at] || !strings.HasPrefix(to.Location, base) {
		return Subschema{}, false
	}
	return Subschema{s.of, to}, true
}

// AllOf lists the schemas of which each holds for the same values.
func (s Subschema) AllOf() []Subschema {
	all := make([]Subschema, len(s.at.AllOf))
	for i, also := range s.at.AllOf {
		all[i] = Subschema{s.of, also}
	}
	return all
}

// AnyOf lists the schemas of its anyOf.
func (s Subschema) AnyOf() []Alternative { return s.alternatives(s.at.AnyOf) }

// OneOf lists the schemas of its oneOf.
func (s Subschema) OneOf() []Alternative { return s.alternatives(s.at.OneOf) }

func (s Subschema) alternatives(schemas []*jsonschema.Schema) []Alternative {
	all := make([]Alternative, len(schemas))
	for i, branch := range schemas {
		all[i] = Alternative{Subschema{s.of, branch}, s.of.choices[s.at].surely(branch)}
	}
	return all
}

// HasDefault reports whether it has a default, its own or that of what it refers to: a property with one is never missing where
// defaults are filled in.
func (s Subschema) HasDefault() bool { return hasDefault(s.at) }

// Properties are its properties, by name and in the names' order.
func (s Subschema) Properties() iter.Seq2[string, Subschema] {
	return func(yield func(string, Subschema) bool) {
		for _, name := range sortedKeys(s.at.Properties) {
			if !yield(name, Subschema{s.of, s.at.Properties[name]}) {
				return
			}
		}
	}
}

// HasProperties reports whether it says which properties an object has, or could have.
func (s Subschema) HasProperties() bool { return s.at.Properties != nil || len(s.Required()) > 0 }

// Required lists the names in its `required`.
func (s Subschema) Required() []string { return s.of.required(s.at) }

// HasPatterns reports whether patterns of names distinguish members, too.
func (s Subschema) HasPatterns() bool { return s.at.PatternProperties != nil }

// IsClosed reports whether an object may have no members but those that properties and patterns name.
func (s Subschema) IsClosed() bool { return s.at.AdditionalProperties == false }

// Others is the schema of the members that neither properties nor patterns name.
func (s Subschema) Others() (Subschema, bool) {
	others, ok := s.at.AdditionalProperties.(*jsonschema.Schema)
	return Subschema{s.of, others}, ok
}

// Items is the schema of all items of an array. There is none if items differ by their position.
func (s Subschema) Items() (Subschema, bool) {
	return Subschema{s.of, s.at.Items2020}, s.at.Items2020 != nil && s.at.PrefixItems == nil
}

// byName finds the schemas whose $ref is not a pointer from the document's root.
func byName(doc *Outline, places map[string]*jsonschema.Schema) map[*jsonschema.Schema]bool {
	all := map[*jsonschema.Schema]bool{}
	for pointer, at := range places {
		if site := doc.sites[pointer]; at.Ref != nil && site != nil {
			ref, _ := site.schema["$ref"].(string)
			if ref != "#" && !strings.HasPrefix(ref, "#/") {
				all[at] = true
			}
		}
	}
	return all
}
