package expr

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTree(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"no template":    {` { "a" : [ 1.50 , 1e2, true, null, "x" ] } `, `{"a":[1.50,1e2,true,null,"x"]}`},
		"scalar":         {`"${request.body.n}"`, `3`},
		"keeps types":    {`{"n": "${request.body.n}", "s": "${request.method}", "l": "${request.body.list}"}`, `{"n":3,"s":"POST","l":[1,"<a>",null,{"a":false,"z":1}]}`},
		"null":           {`["${request.body.nothing}"]`, `[null]`},
		"text":           {`["n is ${request.body.n}"]`, `["n is 3"]`},
		"text is quoted": {`["\"${steps.answer.text}\"\n"]`, `["\"T\"\n"]`},
		"order is kept":  {`{"z": 1, "a": "${request.body.n}", "b": {}}`, `{"z":1,"a":3,"b":{}}`},
		"escape":         {`["$${x}", "$"]`, `["${x}","$"]`},
		"empty":          {`[[], {}, ""]`, `[[],{},""]`},
		"escaped name":   {`{"a\nb": 1}`, `{"a\nb":1}`},
	}
	env := testEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := env.CompileTree([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a tree is not used up
				got, err := tree.JSON(t.Context(), testVars(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func TestCompileTreeRefuses(t *testing.T) {
	tests := map[string]struct {
		in      string
		path    string
		column  int
		message string
	}{
		"expression":     {`{"a": {"b/c": ["x", "x ${foo}"]}}`, "/a/b~1c/1", 5, "undeclared reference to 'foo'"},
		"lexer":          {`["${"]`, "/0", 1, "no closing }"},
		"name":           {`{"a${b}": 1}`, "/a${b}", 2, "names cannot hold expressions"},
		"syntax":         {`{"a": }`, "/a", 1, "not valid JSON at byte 6"},
		"end":            {`{"a": 1`, "", 1, "not valid JSON"},
		"nothing":        {``, "", 1, "not valid JSON"},
		"two values":     {`1 2`, "", 1, "more than one JSON value"},
		"duplicate name": {`{"a": 1, "a": 2}`, "/a", 1, "duplicate"},
		"number":         {`{"a": 1e999}`, "/a", 1, "out of range"},
		"optional":       {`{"a": "${request.body.?x}"}`, "/a", 3, ".orValue(…)"},
		"too deep":       {strings.Repeat("[", maxTreeDepth+1) + strings.Repeat("]", maxTreeDepth+1), strings.Repeat("/0", maxTreeDepth), 1, "levels deep"},
	}
	env := testEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := env.CompileTree([]byte(tt.in))
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Path != tt.path || e.Column != tt.column || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %q %v, want %q, column %d, %q", e.Path, e, tt.path, tt.column, tt.message)
			}
		})
	}
}

func TestTreeFails(t *testing.T) {
	big := map[string]any{"request": map[string]any{"body": map[string]any{"half": strings.Repeat("a", MaxOutput/2+1), "control": strings.Repeat("\x01", MaxOutput/4)}}}
	tests := map[string]struct {
		in      string
		vars    map[string]any
		path    string
		message string
	}{
		"absent":         {`{"a": ["${request.body.nope}"]}`, testVars(), "/a/0", "does not exist"},
		"absent, value":  {`["${request.body.nope}"]`, testVars(), "/0", "does not exist"},
		"null in text":   {`{"a": "x ${request.body.nothing}"}`, testVars(), "/a", "is null"},
		"not UTF-8":      {`{"a": "${request.body.bad}"}`, testVars(), "/a", "not UTF-8"},
		"output":         {`["${request.body.half}", "${request.body.half}"]`, big, "/1", "more output"},
		"output escaped": {`["${request.body.control}"]`, big, "/0", "more output"},
	}
	env := testEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := env.CompileTree([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			_, err = tree.JSON(t.Context(), tt.vars, nil)
			if _, ofValue := tree.Value(t.Context(), tt.vars, nil); ofValue == nil && !escaped(name) {
				t.Error("Value gives no error")
			}
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Path != tt.path || !strings.Contains(e.Message, tt.message) || strings.Contains(fmt.Sprint(e), secret) {
				t.Errorf("got %v, want %s and %q", e, tt.path, tt.message)
			}
		})
	}
}

// escaped names the cases that are wrong as JSON alone.
func escaped(name string) bool { return name == "output escaped" || name == "not UTF-8" }

func TestTreeValue(t *testing.T) {
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		in   string
		want any
		typ  Type
	}{
		"scalars":     {`[1, 1.5, 1e2, true, false, null, "a"]`, []any{int64(1), 1.5, 100.0, true, false, nil, "a"}, List(Dyn)},
		"numbers":     {`[1, 1.5]`, []any{int64(1), 1.5}, List(Double)},
		"large":       {`123456789012345678901`, 123456789012345678901.0, Double},
		"empty":       {`[{}, []]`, []any{map[string]any{}, []any{}}, List(Dyn)},
		"no items":    {`[]`, []any{}, List(Dyn)},
		"nulls":       {`[null, "${request.body.q}"]`, []any{nil, "why"}, List(Nullable(String))},
		"object":      {`{"q": "${request.body.q}", "n": "${request.body.n.orValue(0)}", "t": "n is ${1}", "l": {"x": true}}`, map[string]any{"q": "why", "n": int64(3), "t": "n is 1", "l": map[string]any{"x": true}}, Object(map[string]Type{"q": String, "n": Int, "t": String, "l": Object(map[string]Type{"x": Bool})})},
		"list":        {`["${request.body.q}", "b"]`, []any{"why", "b"}, List(String)},
		"whole":       {`"${request.body.items.map(i, i.name)}"`, []any{"a", "b"}, List(String)},
		"odd names":   {`{"a\"b/c": "${1}"}`, map[string]any{`a"b/c`: int64(1)}, Object(map[string]Type{`a"b/c`: Int})},
		"escape":      {`{"a": "$${x}"}`, map[string]any{"a": "${x}"}, Object(map[string]Type{"a": String})},
		"same shapes": {`[{"a": 1}, {"a": "${2}"}]`, []any{map[string]any{"a": int64(1)}, map[string]any{"a": int64(2)}}, List(Object(map[string]Type{"a": Int}))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := env.CompileTree([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := tree.Type(); !got.Equal(tt.typ) {
				t.Errorf("type %s, want %s", spell(got), spell(tt.typ))
			}
			for range 2 { // what one evaluation gave is not the next one's
				got, err := tree.Value(t.Context(), typedValues(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatal(diff)
				}
				spoil(got)
			}
		})
	}
}

// spoil changes what can be changed in a value.
func spoil(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			spoil(member)
			v[name] = "spoilt"
		}
	case []any:
		for i, item := range v {
			spoil(item)
			v[i] = "spoilt"
		}
	}
}

func TestField(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/a": ".a", "/content/0/text": ".content[0].text", "/a~1b/c~0d": `["a/b"]["c~d"]`, "/a-b/x.y/": `.a-b["x.y"][""]`, "/0": "[0]",
	} {
		if got := (&Error{Path: path}).Field(); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}

func BenchmarkTree(b *testing.B) {
	tree, err := testEnv(b).CompileTree([]byte(`{"answer": "${steps.answer.text}", "n": "${request.body.n}", "model": "fast"}`))
	if err != nil {
		b.Fatal(err)
	}
	vars := testVars()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tree.JSON(b.Context(), vars, nil); err != nil {
			b.Fatal(err)
		}
	}
}
