package schema

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// union answers for the branch that a discriminator names, as Pydantic does, or else for the closest ones.
func (f *finder) union(loc []any, value any, e *jsonschema.ValidationError) {
	u := f.origins.at(e.SchemaURL).union
	object, isObject := value.(map[string]any)
	if u == nil || !isObject {
		f.closest(loc, e.Causes)
		return
	}
	sent, found := object[u.property]
	tag, known := u.find(sent)
	switch {
	case !found:
		f.add(loc, "tag:missing", u.context())
	case !known || tag.branch >= len(e.Causes):
		f.wrongTag(loc, sent, u)
	default:
		sub := f.sub()
		sub.find(e.Causes[tag.branch])
		for _, v := range sub.found {
			v.Loc = slices.Insert(slices.Clone(v.Loc), len(loc), tag.step())
			f.found = append(f.found, v)
		}
	}
}

func (u *union) context() map[string]any {
	return map[string]any{"discriminator": "'" + u.property + "'"}
}

// untagged reports whether a value lacks what would distinguish the branches of a union.
func (f *finder) untagged(value any, schema string) bool {
	u := f.origins.at(schema).union
	object, isObject := value.(map[string]any)
	if u == nil || !isObject {
		return false
	}
	_, found := object[u.property]
	return !found
}

// besideTag reports a missing tag, and returns the other names that are missing.
func (f *finder) besideTag(loc []any, names []string) []string {
	u := f.origins.at(f.schema).union
	if u == nil || !slices.Contains(names, u.property) {
		return names
	}
	f.add(loc, "tag:missing", u.context())
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == u.property })
}

// wrongTag repeats the tag only where inputs may be.
func (f *finder) wrongTag(loc []any, sent any, u *union) {
	ctx, quoted := u.context(), make([]string, len(u.tags))
	for i, t := range u.tags {
		quoted[i] = python(t.value)
	}
	ctx["expected_tags"] = shorten(strings.Join(quoted, ", "), maxShownValues)
	if !f.echo {
		f.add(loc, "tag:unknown", ctx)
		return
	}
	text, isText := sent.(string)
	if !isText {
		text = sentInPython(sent)
	}
	ctx["tag"] = clip(text)
	f.add(loc, "tag:wrong", ctx)
}
