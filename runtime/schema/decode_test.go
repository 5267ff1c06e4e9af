package schema

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// tokens decodes with jsontext: what a decoder is held to.
type tokens struct {
	decoder

	json *jsontext.Decoder
}

func decodeByLibrary(text []byte, l limits, lenient bool) (document, *fault) {
	d := &tokens{json: jsontext.NewDecoder(bytes.NewBuffer(text))}
	d.text, d.limits, d.lenient, d.doc = text, l, lenient, document{bytes: len(text)}
	if lenient {
		d.json.Reset(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	}
	value, err := d.value()
	if err == nil {
		if _, end := d.json.ReadToken(); !errors.Is(end, io.EOF) {
			err = refusal("Extra data")
		}
	}
	if err == nil {
		d.doc.value = value
		return d.doc, nil
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		reason, grammar := syntaxReason(e.Err)
		return document{}, &fault{offset: e.ByteOffset, pointer: string(e.JSONPointer), reason: reason, grammar: grammar}
	}
	f := &fault{offset: d.json.InputOffset(), pointer: string(d.json.StackPointer()), reason: err.Error(), grammar: err.Error() == "Extra data"}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		f = &fault{offset: f.offset, reason: "Unexpected end of JSON", grammar: true}
	}
	return document{}, f
}

func (d *tokens) value() (any, error) {
	if d.doc.nodes++; d.doc.nodes > d.limits.nodes {
		return nil, tooManyNodes(d.limits.nodes)
	}
	switch d.json.PeekKind() { //nolint:exhaustive // the other kinds are single tokens
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '0':
		text, err := d.json.ReadValue()
		if err != nil {
			return nil, err
		}
		return d.number(text)
	}
	token, err := d.json.ReadToken()
	switch {
	case err != nil:
		return nil, err
	case token.Kind() == '"':
		return token.String(), nil
	case token.Kind() == 'n':
		return nil, nil //nolint:nilnil // null is a value like any other
	}
	return token.Bool(), nil
}

func (d *tokens) open() error {
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	depth := d.json.StackDepth()
	if depth > d.limits.depth {
		return tooDeep(d.limits.depth)
	}
	d.doc.depth = max(d.doc.depth, depth)
	return nil
}

func (d *tokens) object() (any, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	object := map[string]any{}
	for d.json.PeekKind() != '}' {
		token, err := d.json.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if len(object) == d.limits.keys {
			return nil, tooManyKeys(d.limits.keys)
		}
		if object[name], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.json.ReadToken()
	return object, err
}

func (d *tokens) array() (any, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	array := []any{}
	for d.json.PeekKind() != ']' {
		item, err := d.value()
		if err != nil {
			return nil, err
		}
		array = append(array, item)
	}
	_, err := d.json.ReadToken()
	return array, err
}

// decodeAlike decodes a text in both ways, within limits that short texts meet.
func decodeAlike(t *testing.T, text []byte) {
	t.Helper()
	small := limits{depth: 4, nodes: 12, keys: 3}
	for _, lenient := range []bool{false, true} {
		d := decoderOf(text, small)
		d.lenient = lenient
		got, f := d.document()
		d.free()
		want, wrong := decodeByLibrary(text, small, lenient)
		if (f == nil) != (wrong == nil) {
			t.Fatalf("lenient %v: %q: fault %+v, want %+v", lenient, text, f, wrong)
		}
		if f == nil {
			if diff := cmp.Diff(want.value, got.value); diff != "" || want.depth != got.depth || want.nodes != got.nodes || want.rough != got.rough {
				t.Errorf("lenient %v: %q: (-want +got)\n%s %+v, want %+v", lenient, text, diff, got, want)
			}
			continue
		}
		if f.reason == "Extra data" { // the library reads on, and stops behind it
			f.offset = wrong.offset
		}
		if *f != *wrong {
			t.Errorf("lenient %v: %q: fault %+v, want %+v", lenient, text, f, wrong)
		}
	}
}

var textsForBoth = []string{
	``, ` `, `null`, ` true `, `false x`, `{} {}`, `1e400`, `-0.5e-3`, `9007199254740993`, `01`, `1.`, `-`, `"a`, `"\ud83c"`, `"\ud83c\udf75"`, "\"\xff\"",
	`"a\u0041\n"`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud83c":{"x":"\ud83c"}}`, "{\"\xff\xfe\":1}", "{\"\xed\xa0\x80\":1}", `{"a" 1}`, `{"a":}`, `{"a":1,}`, `{,}`,
	`[1 2]`, `[1,]`, `[,1]`, `[`, `{`, `{"a"`, `{"a":`, `{"a":1`, `[1`, `]`, `}`, `[}`, `{]`, `{1:2}`, `{"a":1,"b":2,"c":3,"d":4}`, `[1,2,3,4,5,6,7,8,9,10,11,12]`,
	`[[[[]]]]`, `[[[[ [ ]]]]]`, `{"a":{"b":[{"c":1}]}}`, `{"a": {"b":[{"c": [1]}]}}`, `[{"a":[1e999]}]`, `{"a":tru}`, `{"a":"x` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12"}`,
	"\xef\xbb\xbf{}", `{"a":nul`, "[\"a\xff\",{\"b\":1}]", `{"` + strings.Repeat("n", 40) + `":"` + strings.Repeat("é", 40) + `"}`,
}

func TestADecoderReadsAsTheLibraryReads(t *testing.T) {
	for _, text := range textsForBoth {
		decodeAlike(t, []byte(text))
		for cut := range text {
			decodeAlike(t, []byte(text[:cut]))
		}
	}
}

func FuzzDecoderAgreesWithTheLibrary(f *testing.F) {
	for _, text := range textsForBoth {
		f.Add([]byte(text))
	}
	f.Fuzz(decodeAlike)
}
