package openapi

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// members is a JSON object that keeps the order in which it was written: routes and properties are documented in the
// order that their author gave them.
type members[T any] []member[T]

// object is a JSON object whose members are still text.
type object = members[jsontext.Value]

type member[T any] struct {
	name  string
	value T
}

func (m members[T]) find(name string) (*T, bool) {
	for i := range m {
		if m[i].name == name {
			return &m[i].value, true
		}
	}
	return nil, false
}

func (m *members[T]) add(name string, value T) { *m = append(*m, member[T]{name, value}) }

// MarshalJSONTo implements json.MarshalerTo.
func (m members[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return fmt.Errorf("begin object: %w", err)
	}
	for i := range m {
		if err := enc.WriteToken(jsontext.String(m[i].name)); err != nil {
			return fmt.Errorf("member %q: %w", m[i].name, err)
		}
		if err := json.MarshalEncode(enc, &m[i].value); err != nil {
			return fmt.Errorf("member %q: %w", m[i].name, err)
		}
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return fmt.Errorf("end object: %w", err)
	}
	return nil
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *members[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	open, err := dec.ReadToken()
	if err != nil {
		return fmt.Errorf("begin object: %w", err)
	}
	if open.Kind() != '{' {
		return fmt.Errorf("want an object, not %v", open.Kind())
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return fmt.Errorf("member name: %w", err)
		}
		next := member[T]{name: name.String()}
		if err := json.UnmarshalDecode(dec, &next.value); err != nil {
			return fmt.Errorf("member %q: %w", next.name, err)
		}
		*m = append(*m, next)
	}
	if _, err := dec.ReadToken(); err != nil {
		return fmt.Errorf("end object: %w", err)
	}
	return nil
}

func encode(v any) (jsontext.Value, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return encoded, nil
}
