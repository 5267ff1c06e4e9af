package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/schema"
)

// checkError holds an error to what its readers build on.
func checkError(t *testing.T, err error, text string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%q: %T is no *Error", text, err)
	}
	if e.Column < 1 || e.Message == "" || strings.Contains(e.Message, unwrapped) && !strings.Contains(text, unwrapped) {
		t.Fatalf("%q: %q", text, e)
	}
}

// FuzzCompile: what compiles gives a value that is JSON, or an error that quotes no value, and within its bounds.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"", "a ${request.body.q}", "${request.body.note.orValue('')}", "${request.body.address.geo.lat.orValue(0.0) * 2.0}",
		"${request.body.items.map(i, i.name).join(', ')}", "${steps.context.?wiki.?title.orValue('')}", "${request.body['q'].truncate(2)}",
		"${has(request.body.address.zip)}", "${request.body.items[?0].size.zip.orValue(1)}", "${request.body == {'a': 1}}",
		"${'[1]'.parseJson().json()}", "${true ? request.body : steps}", "${request.body.level == null}", "${[request.body.?n].size()}",
		"${'%s %d'.format([request.body.q, 1])}", "${'a'.replace('a', 'b').split('').join()}", "${request.body.q.base64().urlEncode()}",
		"${steps.`answer`.text}", "${request.body.address.optMap(a, a.city)}", "${1u + 2u}", "${timestamp('2026-01-02T03:04:05Z')}",
	} {
		f.Add(seed)
	}
	env, err := NewEnv(typedVars(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := env.Compile(text)
		if err != nil {
			checkError(t, err, text)
			if e, _ := errors.AsType[*Error](err); e.Column > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%q: column %d", text, e.Column)
			}
			return
		}
		vars := typedValues()
		value, err := template.Value(t.Context(), vars, nil)
		if err != nil {
			checkError(t, err, text)
		} else if out, err := appendJSON(nil, value); err == nil && !json.Valid(out) {
			t.Fatalf("%q gives %s", text, out)
		}
		if diff := cmp.Diff(typedValues(), vars); diff != "" {
			t.Fatalf("%q changes its variables: %s", text, diff)
		}
		path, err := template.Path(t.Context(), vars, nil)
		if err != nil {
			checkError(t, err, text)
		} else if template.isExpression() && (strings.Contains(path, "/") || path == "" || path == "." || path == "..") {
			t.Fatalf("%q is the path %q", text, path)
		}
	})
}

// FuzzCompileTree: what compiles gives JSON, which decodes to the tree's value.
func FuzzCompileTree(f *testing.F) {
	for _, seed := range []string{
		`{"a": ["${request.body.q}", 1, null], "b": {"c": "x ${request.body.n.orValue(1)}"}}`, `[]`, `"$${"`, `{"a${b}": 1}`, `[1.50, 1e400]`,
		`"${request.body}"`, `{"a": 1, "a": 2}`, `[[[["${steps.answer}"]]]]`, `{"a/b~": "${nope}"}`, `12345678901234567890`, `"\ud800"`,
	} {
		f.Add([]byte(seed))
	}
	env, err := NewEnv(typedVars(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tree, err := env.CompileTree(raw)
		if err != nil {
			checkError(t, err, string(raw))
			return
		}
		out, err := tree.JSON(t.Context(), typedValues(), nil)
		if err != nil {
			checkError(t, err, string(raw))
			return
		}
		value, err := tree.Value(t.Context(), typedValues(), nil)
		if err != nil {
			t.Fatalf("%s has JSON but no value: %v", raw, err)
		}
		again, err := appendJSON(nil, value)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		var fromJSON, fromValue any
		if err := errors.Join(json.Unmarshal(out, &fromJSON), json.Unmarshal(again, &fromValue)); err != nil {
			t.Fatalf("%s gives %s and %s: %v", raw, out, again, err)
		}
		if diff := cmp.Diff(fromJSON, fromValue, cmpopts.EquateApprox(1e-15, 0)); diff != "" {
			t.Fatalf("%s: %s", raw, diff)
		}
	})
}

// FuzzFromSchema: every schema gives a type that variables can have and templates can use.
func FuzzFromSchema(f *testing.F) {
	for _, seed := range []string{
		`{}`, `true`, `{"type": ["string", "null"]}`, `{"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}`,
		`{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "allOf": [{"$ref": "#/$defs/a"}]}`,
		`{"anyOf": [{"type": "integer"}, {"type": "number"}], "enum": [1, null, {}]}`, `{"items": {"items": 1}, "type": "array"}`,
		`{"allOf": [{"properties": {"": {"type": "array"}}}, {"additionalProperties": false}]}`, `{"$ref": "#/%zz"}`, `{"$ref": "#/~2"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := schema.Compile(raw)
		if err != nil {
			return
		}
		typ := FromSchema(s)
		if !typ.Equal(typ.Unwrapped()) {
			t.Fatalf("%s: a value may be missing", raw)
		}
		if again := FromSchema(s); !typ.Equal(again) {
			t.Fatalf("%s: %s, then %s", raw, spell(typ), spell(again))
		}
		env, err := NewEnv(Vars{"x": typ})
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		template, err := env.Compile("${x}")
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if !template.Type().Equal(typ) {
			t.Fatalf("%s: %s became %s", raw, spell(typ), spell(template.Type()))
		}
	})
}
