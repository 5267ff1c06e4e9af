package openapi

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/schema"
)

// visit is given a schema and its pointer and returns what shall stand in its place.
type visit func(raw jsontext.Value, at jsontext.Pointer) (jsontext.Value, error)

// parsed is a schema that is an object.
type parsed struct{ object }

// parse returns false for anything but an object: a boolean schema, or what only looks like the place of one.
func parse(raw jsontext.Value) (o parsed, ok bool, err error) {
	if raw.Kind() != '{' {
		return o, false, nil
	}
	if err := json.Unmarshal(raw, &o.object); err != nil {
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

// children replaces each schema that the schema at a pointer holds by what visit makes of it. What stands elsewhere stays as it is,
// unless a reference makes it a schema.
func (o parsed) children(here jsontext.Pointer, outline *schema.Outline, visit visit) error {
	for i := range o.object {
		m := &o.object[i]
		at := here.AppendToken(m.name)
		var err error
		switch holds := schema.Holding(m.name); {
		case holds == schema.HoldsSchema && m.value.Kind() == '{':
			m.value, err = visit(m.value, at)
		case holds == schema.HoldsList && m.value.Kind() == '[':
			m.value, err = eachItem(m.value, at, visit)
		case holds == schema.HoldsNamed && m.value.Kind() == '{':
			m.value, err = eachNamed(m.value, at, visit)
		case holds == schema.HoldsNothing:
			m.value, err = buried(m.value, at, outline, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// buried looks for schemas in the value of a keyword that holds none by itself.
func buried(v jsontext.Value, at jsontext.Pointer, outline *schema.Outline, visit visit) (jsontext.Value, error) {
	if kind := v.Kind(); kind != '{' && kind != '[' || !outline.HasWithin(string(at)) {
		return v, nil
	}
	if outline.IsSchema(string(at)) {
		return visit(v, at)
	}
	deeper := func(v jsontext.Value, at jsontext.Pointer) (jsontext.Value, error) {
		return buried(v, at, outline, visit)
	}
	if v.Kind() == '[' {
		return eachItem(v, at, deeper)
	}
	return eachNamed(v, at, deeper)
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
