package openapi

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// contents says what the value of a keyword of JSON Schema 2020-12 holds.
type contents int

const (
	subschema   contents = iota // a schema, or an array of them; also what no vocabulary knows
	subschemas                  // schemas by name
	literalJSON                 // data, in which a "$ref" is no reference
)

var keywords = map[string]contents{
	"$defs": subschemas, "definitions": subschemas, "properties": subschemas, "patternProperties": subschemas,
	"dependentSchemas": subschemas, "dependencies": subschemas,
	"const": literalJSON, "enum": literalJSON, "default": literalJSON, "examples": literalJSON, "example": literalJSON,
	"discriminator": literalJSON,
}

// visit is given a schema and its pointer and returns what shall stand in its place.
type visit func(schema jsontext.Value, at jsontext.Pointer) (jsontext.Value, error)

// parsed is a schema that is an object.
type parsed struct{ object }

// parse gives ok false for what is no object: a boolean schema, or what only looks like a schema's place.
func parse(schema jsontext.Value) (o parsed, ok bool, err error) {
	if schema.Kind() != '{' {
		return o, false, nil
	}
	if err := json.Unmarshal(schema, &o.object); err != nil {
		return o, false, fmt.Errorf("read schema: %w", err)
	}
	return o, true, nil
}

func (o parsed) text(keyword string) (string, bool) {
	v, ok := o.find(keyword)
	if !ok {
		return "", false
	}
	return text(*v)
}

// text gives a JSON string's value.
func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, v)
	return string(text), err == nil
}

// base is what the schema's references resolve against.
func (o parsed) base(outer *url.URL) (*url.URL, error) {
	id, ok := o.text("$id")
	if !ok {
		return outer, nil
	}
	base, err := outer.Parse(id)
	if err != nil {
		return nil, fmt.Errorf("$id %q: %w", id, err)
	}
	base.Fragment, base.RawFragment = "", ""
	return base, nil
}

// children replaces each direct subschema by what visit makes of it.
func (o parsed) children(here jsontext.Pointer, visit visit) error {
	for i := range o.object {
		m := &o.object[i]
		at := here.AppendToken(m.name)
		var err error
		switch kind := keywords[m.name]; {
		case kind == literalJSON:
		case kind == subschemas && m.value.Kind() == '{':
			m.value, err = eachNamed(m.value, at, visit)
		case m.value.Kind() == '{':
			m.value, err = visit(m.value, at)
		case m.value.Kind() == '[':
			m.value, err = eachItem(m.value, at, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachNamed(v jsontext.Value, at jsontext.Pointer, visit visit) (jsontext.Value, error) {
	named, _, err := parse(v)
	if err != nil {
		return nil, err
	}
	for i := range named.object {
		m := &named.object[i]
		if m.value, err = visit(m.value, at.AppendToken(m.name)); err != nil {
			return nil, err
		}
	}
	return encode(named.object)
}

func eachItem(v jsontext.Value, at jsontext.Pointer, visit visit) (jsontext.Value, error) {
	var items []jsontext.Value
	if err := json.Unmarshal(v, &items); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	for i := range items {
		item, err := visit(items[i], at.AppendToken(strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		items[i] = item
	}
	return encode(items)
}
