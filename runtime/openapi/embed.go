package openapi

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/schema"
)

// identity are the keywords that name a schema for references; embedded, its place in the document is its name. The
// dialect is the document's own: OpenAPI 3.1 has JSON Schema 2020-12.
var identity = map[string]bool{"$schema": true, "$id": true, "$anchor": true, "$dynamicAnchor": true}

// embedding moves one schema into a document.
type embedding struct {
	// at is the schema's own pointer within the document (RFC 6901).
	at       jsontext.Pointer
	outline  *schema.Outline
	compiled *schema.Schema
	// filled says that the defaults are filled in of what the schema describes, so that no such member need be there.
	filled bool
	// refers says that a reference has been moved.
	refers bool
}

// embedSchema returns the schema as it must stand at the pointer at of a document in order to mean what it means alone;
// refers reports whether it has references, which hold for that place only.
//
// A reference such as #/$defs/x would resolve against the whole document, and two schemas may use the same $id or
// $anchor; so each reference becomes a pointer from the document's root, which every tool understands. Everything
// else, the order of members included, stays as it is. Only a dynamic reference that leads to different places,
// depending on the way to it, has no such pointer: it is left out, and the document demands less than the route there.
func embedSchema(s *schema.Schema, at jsontext.Pointer, filled bool) (embedded jsontext.Value, refers bool, err error) {
	e := &embedding{at: at, outline: s.Outline(), compiled: s, filled: filled}
	embedded, err = e.rewrite(s.JSON(), "")
	return embedded, e.refers, err
}

func (e *embedding) rewrite(raw jsontext.Value, here jsontext.Pointer) (jsontext.Value, error) {
	o, ok, err := parse(raw)
	if !ok || err != nil {
		return raw, err
	}
	if err := o.children(here, e.outline, e.rewrite); err != nil {
		return nil, err
	}
	moved := make(object, 0, len(o.object))
	for _, m := range o.object {
		switch {
		case identity[m.name] || e.ambiguous(m):
			continue
		case m.name == "$ref" || m.name == "$dynamicRef":
			if m, err = e.reference(o, m, here); err != nil {
				return nil, err
			}
		case m.name == "discriminator":
			if m.value, err = e.discriminator(m.value, here); err != nil {
				return nil, err
			}
		}
		moved.add(m.name, m.value)
	}
	if moved, err = e.required(moved, here); err != nil {
		return nil, err
	}
	if moved, err = opened(moved); err != nil {
		return nil, err
	}
	return encode(moved)
}

// required makes the list of required members what it is to the route: without those that a default is filled in for, and
// with the one that distinguishes the forms of a union.
func (e *embedding) required(o object, here jsontext.Pointer) (object, error) {
	names, changed := e.compiled.Demanded(string(here), e.filled)
	if !changed {
		return o, nil
	}
	list, ok := o.find("required")
	encoded, err := encode(names)
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		o = slices.DeleteFunc(o, func(m member[jsontext.Value]) bool { return m.name == "required" })
	case !ok:
		o.add("required", encoded)
	default:
		*list = encoded
	}
	return o, nil
}

// opened gives a schema that has definitions next to a reference, as generators write recursive types, another form
// of the same meaning: many tools ignore everything next to a reference, and would not find the definitions.
func opened(o object) (object, error) {
	ref, refers := o.find("$ref")
	defines := slices.ContainsFunc(o, func(m member[jsontext.Value]) bool {
		return m.name == "$defs" || m.name == "definitions"
	})
	if !refers || !defines {
		return o, nil
	}
	var all []jsontext.Value
	if before, ok := o.find("allOf"); ok {
		if err := json.Unmarshal(*before, &all); err != nil {
			return nil, fmt.Errorf("read allOf: %w", err)
		}
	}
	moved, err := encode(object{{"$ref", *ref}})
	if err != nil {
		return nil, err
	}
	conjunction, err := encode(append(all, moved))
	if err != nil {
		return nil, err
	}
	o = slices.DeleteFunc(o, func(m member[jsontext.Value]) bool { return m.name == "$ref" || m.name == "allOf" })
	o.add("allOf", conjunction)
	return o, nil
}

// ambiguous reports whether the member is a dynamic reference with a choice of anchors.
func (e *embedding) ambiguous(m member[jsontext.Value]) bool {
	ref, _ := text(m.value)
	return m.name == "$dynamicRef" && e.outline.IsAmbiguous(ref)
}

// reference moves a member that is a reference. A dynamic one whose anchor exists once is a plain one (JSON Schema
// Core 2020-12, section 8.2.3.2), which more tools know; a schema that has both kinds keeps both.
func (e *embedding) reference(o parsed, m member[jsontext.Value], here jsontext.Pointer) (member[jsontext.Value], error) {
	ref, ok := o.text(m.name)
	if !ok {
		return m, nil
	}
	if _, both := o.text("$ref"); m.name == "$dynamicRef" && !both {
		m.name = "$ref"
	}
	var err error
	m.value, err = encode(e.move(ref, here))
	return m, err
}

// move gives the address that a reference has in the document. What the schema does not have stays as it is: it is a
// meta-schema of JSON Schema itself, which everyone has.
func (e *embedding) move(ref string, here jsontext.Pointer) string {
	target, ok := e.outline.Resolve(string(here), ref)
	if !ok {
		return ref
	}
	return e.reach(target)
}

// discriminator moves the references in the mapping of a Discriminator Object (OpenAPI 3.1.0, section 4.8.25). What the
// mapping may not hold, such as a schema, or leads nowhere becomes a reference to the form that has the name, if one has;
// else it is left out, since a tool that follows it would stop there.
func (e *embedding) discriminator(v jsontext.Value, here jsontext.Pointer) (jsontext.Value, error) {
	o, ok, err := parse(v)
	if !ok || err != nil {
		return v, err
	}
	field, ok := o.find("mapping")
	if !ok {
		return v, nil
	}
	mapping, _, err := parse(*field)
	if err != nil {
		return nil, err
	}
	tagged := e.compiled.Tagged(string(here))
	var moved object
	for _, m := range mapping.object {
		target, ok := e.mapped(m.value, here)
		if !ok {
			target, ok = tagged[m.name]
		}
		if !ok {
			continue
		}
		ref, err := encode(e.reach(target))
		if err != nil {
			return nil, err
		}
		moved.add(m.name, ref)
	}
	if *field, err = encode(moved); err != nil {
		return nil, err
	}
	return encode(o.object)
}

// mapped gives the pointer that an entry of a mapping leads to.
func (e *embedding) mapped(v jsontext.Value, here jsontext.Pointer) (string, bool) {
	ref, isText := text(v)
	target, ok := e.outline.Resolve(string(here), ref)
	return target, isText && ok && e.outline.Exists(target)
}

// reach is the address that a place of the schema has in the document.
func (e *embedding) reach(target string) string {
	e.refers = true
	return (&url.URL{Fragment: string(e.at) + target}).String()
}
