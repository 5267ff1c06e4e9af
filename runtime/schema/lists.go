package schema

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// listName is what Pydantic calls a list that the schema wants: a list whose first items have their own schemas is its
// Tuple, one whose items are unique its Set.
func (f *finder) listName(from *origin) string {
	switch {
	case from.PrefixItems != nil:
		return "Tuple"
	case f.sets && from.UniqueItems:
		return "Set"
	}
	return "List"
}

// tooShort names the items of a tuple that are missing, and else the number.
func (f *finder) tooShort(loc []any, k *kind.MinItems) {
	from := f.origins.at(f.schema)
	for i := k.Got; i < min(k.Want, len(from.PrefixItems)); i++ {
		f.add(append(slices.Clip(loc), i), "required", nil)
	}
	if len(from.PrefixItems) == 0 || k.Want > len(from.PrefixItems) {
		f.add(loc, "minItems", length(f.listName(from), "min_length", k.Want, k.Got))
	}
}

// tooLong counts, as Pydantic, no further than to the bound of a set.
func (f *finder) tooLong(loc []any, want, got int) {
	name := f.listName(f.origins.at(f.schema))
	ctx := length(name, "max_length", want, got)
	if name == "Set" {
		ctx["actual_length"] = nil
	}
	f.add(loc, "maxItems", ctx)
}

// forbidden reports an item after the last that a list may have as a list that is too long.
func (f *finder) forbidden(loc []any, e *jsonschema.ValidationError) {
	list, isItems := strings.CutSuffix(e.SchemaURL, "/items")
	from := f.origins.at(list)
	if n := len(e.InstanceLocation); isItems && n > 0 && from.Items2020 != nil && from.Items2020.Location == e.SchemaURL {
		if whole, value := f.locate(e.InstanceLocation[:n-1]); value != nil {
			items, _ := value.([]any)
			f.schema = list
			f.tooLong(whole, len(from.PrefixItems), len(items))
			return
		}
	}
	f.add(loc, "false", nil)
}
