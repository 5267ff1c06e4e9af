package expr

import (
	"fmt"
	"strings"
	"testing"
)

func typedEnv(t *testing.T) *Env {
	t.Helper()
	const text = `{"type":"object","properties":{"n":{"type":"integer","default":1},"l":{"type":"array","items":{"type":"integer"},"default":[]},
		"s":{"type":["string","null"],"default":null},"i":{"type":["integer","null"],"default":null},"b":{"type":["boolean","null"],"default":null},
		"x":{"type":["number","null"],"default":null},"both":{"type":["string","null"]},"o":{"type":"object","properties":{"s":{"type":["string","null"]}},"required":["s"]}},"required":["o"]}`
	body := typeOf(t, text)
	env, err := NewEnv(Vars{"body": body, "item": Dyn})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestReads(t *testing.T) {
	env := typedEnv(t)
	for text, want := range map[string]string{
		"plain":                              "[]",
		"${body.n}":                          "[[body n]]",
		"${body.n + body.n}":                 "[[body n]]",
		"<${body.n}> ${item.a}":              "[[body n] [item a]]",
		"${body['n']}":                       "[[body n]]",
		"${body.l[0]}":                       "[[body l 0]]",
		"${body.l[body.n]}":                  "[[body l] [body n]]",
		"${body.?both.orValue('')}":          "[[body both]]",
		"${body.l.map(i, i + body.n)}":       "[[body l] [body n]]",
		"${has(item.a) ? item.a : body.n}":   "[[item a] [body n]]",
		"${{'a': [body.n, item]}}":           "[[body n] [item]]",
		"${item.exists(e, e.x == body.o.s)}": "[[item] [body o s]]",
	} {
		compiled, err := env.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprint(compiled.Reads()); got != want {
			t.Errorf("%s reads %s, want %s", text, got, want)
		}
	}
}

func TestReadsOfATree(t *testing.T) {
	tree, err := typedEnv(t).CompileTree([]byte(`{"a":"${body.n}","b":[{"c":"x ${item}"},"${body.l}"],"d":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   []any
		want string
	}{
		{nil, "[[body n] [item] [body l]]"},
		{[]any{"a"}, "[[body n]]"},
		{[]any{"b"}, "[[item] [body l]]"},
		{[]any{"b", 0, "c"}, "[[item]]"},
		{[]any{"b", 1, 3, "x"}, "[[body l 3 x]]"},
		{[]any{"d"}, "[]"},
		{[]any{"nope"}, "[[body n] [item] [body l]]"},
	} {
		if got := fmt.Sprint(tree.Reads(tt.at...)); got != tt.want {
			t.Errorf("at %v: %s, want %s", tt.at, got, tt.want)
		}
	}
}

// What fails says what it has read, as closely as the failing part of the expression is known.
func TestErrorsSayWhatWasRead(t *testing.T) {
	env := typedEnv(t)
	vars := map[string]any{"body": map[string]any{"n": int64(0), "l": []any{}, "o": map[string]any{"s": nil}}, "item": map[string]any{"a": nil}}
	for text, want := range map[string]string{
		"${item.a == 1 || 1 / body.n > 0}":          "[[body n]]",
		"${string(body.l.size()) + string(item.b)}": "[[item b]]",
		"${body.l.size() + body.l[2]}":              "[[body l 2]]",
		"${[1].map(i, i / body.n)}":                 "[[body n]]",
		"${item.a + 1}":                             "[[item a]]",
		"a ${body.n} b ${body.l[0]}":                "[[body l 0]]",
	} {
		compiled, err := env.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, failed := compiled.Value(t.Context(), vars, nil)
		e, ok := failed.(*Error) //nolint:errorlint // every error is one
		if !ok || fmt.Sprint(e.Reads) != want || e.Reason == "" || strings.Contains(e.Reason, "$") {
			t.Errorf("%s: %+v, want reads %s", text, failed, want)
		}
	}
}

// Null has no text: if it may be there, as far as types say, one has to say what stands in for it.
func TestNullHasNoText(t *testing.T) {
	env := typedEnv(t)
	for text, want := range map[string]string{
		"${body.s}":                             "may be null",
		"a ${body.s}":                           "may be null",
		"${body.i} ${body.n}":                   "may be null",
		"${body.x}":                             "may be null",
		"${body.b}":                             "may be null",
		"${body.o.s}":                           "may be null",
		"${body.both.orValue('')}":              "may be null",
		"${null}":                               "null, which has no text",
		"${body.s.orValue('-')}":                "-",
		"<${body.i.orValue(7) + 1}>":            "<8>",
		"${body.x.orValue(0.5)}":                "0.5",
		"${body.b.orValue(true)}":               "true",
		"${body.o.s.orValue('none')}":           "none",
		"${body.both.orValue('').orValue('-')}": "",
		"${body.s == null ? 'none' : 'some'}":   "none",
	} {
		compiled, err := env.CompileText(text)
		got := fmt.Sprint(err)
		if err == nil {
			got, err = compiled.Text(t.Context(), map[string]any{"body": map[string]any{
				"n": int64(1), "s": nil, "i": nil, "x": nil, "b": nil, "o": map[string]any{"s": nil},
			}, "item": nil}, nil)
			if err != nil {
				got = err.Error()
			}
		}
		if got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if _, err := env.CompilePath("/a/${body.s}"); err == nil {
		t.Error("a path may have a null")
	}
	if _, err := env.Compile("${body.s}"); err != nil {
		t.Errorf("a JSON value may be null: %v", err)
	}
}
