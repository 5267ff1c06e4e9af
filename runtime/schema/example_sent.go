package schema

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Example makes a value that a request can have for the parameter, as Example of a Schema does: its text is not empty, and can
// stand in the parameter's place as it is, and Parse accepts it. It is not ok if none was found.
func (p *Parameter) Example() (example jsontext.Value, ok bool) {
	return p.schema.exampleOf(func(v any) (any, bool) {
		texts, ok := textsOf(v)
		for _, text := range texts {
			ok = ok && p.at.holds(text)
		}
		if !ok || len(texts) == 0 {
			return nil, false
		}
		_, wrong, err := p.Parse(exampleWork(), texts)
		return v, len(wrong) == 0 && err == nil
	})
}

// Example makes the fields of a form, as Example of a Schema does, of which Check accepts each as the text that it is in a form. A
// member that would be null or empty is left out. The content of a file is a text of at most as many bytes as sizes says; 0 is any
// number. It is not ok if none was found.
func (f *Form) Example(sizes map[string]int) (example jsontext.Value, ok bool) {
	return f.schema.exampleOf(func(v any) (any, bool) {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		fields, sent, ok := f.asSent(object, sizes)
		if !ok {
			return nil, false
		}
		_, wrong, err := f.Check(context.Background(), sent)
		return fields, len(wrong) == 0 && err == nil
	})
}

// asSent returns the members of an object that a form can have, and the texts that they are in it. It is not ok if one has no text.
func (f *Form) asSent(object map[string]any, sizes map[string]int) (fields map[string]any, sent map[string][]Sent, ok bool) {
	fields, sent = map[string]any{}, map[string][]Sent{}
	for name, value := range object {
		texts, ok := textsOf(value)
		if !ok && value != nil {
			return nil, nil, false
		}
		if len(texts) == 0 || texts[0] == "" {
			continue
		}
		isFile := f.fields[name] != nil && f.fields[name].isFile
		if fields[name] = value; isFile {
			fields[name] = cut(value, sizes[name])
		}
		for _, text := range texts {
			sent[name] = append(sent[name], Sent{Text: text, IsFile: isFile})
		}
	}
	return fields, sent, true
}

// cut shortens texts, or a text, to a number of bytes. Those of files are ASCII unless the schema gives others, which are whole
// then.
func cut(v any, size int) any {
	switch v := v.(type) {
	case string:
		if size > 0 && len(v) > size {
			return strings.ToValidUTF8(v[:size], "")
		}
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = cut(v[i], size)
		}
		return all
	}
	return v
}

// textsOf are the texts that a value is outside of JSON: one, or one for each item. A null has none, nor has an object.
func textsOf(v any) (texts []string, ok bool) {
	switch v := v.(type) {
	case nil, map[string]any:
		return nil, false
	case string:
		return []string{v}, true
	case []any:
		for _, item := range v {
			text, ok := textsOf(item)
			if !ok || len(text) != 1 {
				return nil, false
			}
			texts = append(texts, text...)
		}
		return texts, true
	}
	text, err := json.Marshal(v)
	return []string{string(text)}, err == nil
}

// holds reports whether a text can stand at the place as it is: in a path, as a segment that is not a step in the path (RFC 3986,
// section 5.2.4); in a header, as the value of a field (RFC 9110, section 5.5); in a cookie, as a value without quotes (RFC 6265,
// section 4.1.1).
func (at ParameterPlace) holds(text string) bool {
	switch at {
	case Path:
		return text != "" && text != "." && text != ".."
	case Header:
		return text != "" && strings.TrimSpace(text) == text && !strings.ContainsFunc(strings.ReplaceAll(text, " ", ""), unprintable)
	case Cookie:
		return text != "" && !strings.ContainsFunc(text, unprintable) && !strings.ContainsAny(text, `",;\`)
	case Query:
	}
	return text != ""
}

// unprintable reports what is not one of ASCII's signs.
func unprintable(c rune) bool { return c <= ' ' || c >= 0x7f }
