package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutcomes(t *testing.T) {
	env, err := NewEnv(Vars{"a": Object(map[string]Type{"kind": String, "n": Int, "maybe": Optional(String), "list": List(String)})})
	if err != nil {
		t.Fatal(err)
	}
	of := func(p Path) []any {
		if len(p) == 2 && (p[1] == "kind" || p[1] == "maybe") {
			return []any{p[1]}
		}
		return nil
	}
	for text, want := range map[string][]any{
		"text":                               nil,
		"${a.kind}":                          {"kind"},
		"${a.kind}!":                         nil,
		"${'x'}":                             {"x"},
		"${'x' + 'y'}":                       {"xy"},
		"${1 + 1}":                           {int64(2)},
		"${a.n > 1 ? 'x' : a.kind}":          {"x", "kind"},
		"${a.n > 1 ? (a.n > 2 ? 1 : 2) : 3}": {int64(1), int64(2), int64(3)},
		"${a.n > 1 ? 1.5 : 2.5}":             {1.5, 2.5},
		"${a.n > 1 ? true : false}":          {true, false},
		"${a.maybe.orValue('x')}":            {"maybe", "x"},
		"${a.?maybe.orValue(a.kind)}":        {"maybe", "kind"},
		"${a.kind + 'x'}":                    nil,
		"${a.list[0]}":                       nil,
		"${a.list.map(x, x)[0] == 'x' ? 'y' : a.kind.lowerAscii()}": {"y"},
	} {
		compiled, err := env.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, compiled.Outcomes(of)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
