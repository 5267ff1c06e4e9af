package expr

import (
	"strings"
	"testing"
)

// TestWhatAlwaysFails is refused when the configuration loads: as a whole, and in parts.
func TestWhatAlwaysFails(t *testing.T) {
	for in, want := range map[string]string{
		"${1 / 0}":                           "column 3: always fails, because it divides by zero; want an expression that has a value",
		"${1 / (2 - 2)}":                     "divides by zero",
		"${7 % 0}":                           "divides by zero",
		"${[1][5]}":                          "index that does not exist",
		"${[][0]}":                           "index that does not exist",
		"${int('x')}":                        "converts a value that has no such form",
		"${double('x')}":                     "converts a value that has no such form",
		"${timestamp('yesterday')}":          "converts a value that has no such form",
		"${duration('1 fortnight')}":         "converts a value that has no such form",
		"${bool('maybe')}":                   "converts a value that has no such form",
		"${int(1e30)}":                       "out of range",
		"${9223372036854775807 + 1}":         "out of range",
		"${1.0 / 0.0}":                       "not a finite number",
		"${{'a': 1}.b}":                      "key or field that does not exist",
		"${{'a': 1}['b']}":                   "key or field that does not exist",
		"${{1: 2}}":                          "keys are not strings",
		"${dyn(1) + 'a'}":                    "wrong type",
		"${'{'.parseJson()}":                 "not JSON",
		"${'abc'.truncate(-1)}":              "negative",
		"${[1, 2].map(x, x / 0)}":            "divides by zero",
		"${optional.none().value()}":         "optional that has none",
		"${[null].join(' ')}":                "null",
		"is ${[1][1]} there":                 "column 6: always fails",
		"${'a'.matches('(')}":                "pattern",
		"${dyn('a').matches('a' + '(')}":     "regular expression",
		"${{1: request.body.n}}":             "keys are not strings",
		"${[{'a': {true: request.body.n}}]}": "keys are not strings",
		// Parts of it.
		"${request.body.n + 1 / 0}":                       "column 20: always fails",
		"${request.body.n > 0 ? request.body.n : 1 / 0}":  "column 41: always fails",
		"${request.body.yes || int('x') > 0}":             "column 26: always fails",
		"${[request.body.n, [1][5]]}":                     "column 20: always fails",
		"${{'a': request.body.n, 'b': {}.c}}":             "always fails",
		"${request.body.list.map(x, int('x'))}":           "column 31: always fails",
		"${request.body.list.exists(x, x == 1 % 0)}":      "column 36: always fails",
		"${[1, 0].map(x, request.body.n / x) + [[1][2]]}": "column 40: always fails",
		"${request.body\n  .n + 1 / 0}":                   "column 23: always fails",
	} {
		if _, err := testEnv(t).Compile(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]Type{"${dyn(1)}": Bool, "${dyn('a')}": List(Dyn), "${dyn([1])}": String} {
		if _, err := testEnv(t).CompileExpression(in, want); err == nil || !strings.Contains(err.Error(), "want "+want.String()) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
	if _, err := testEnv(t).CompileText("a ${dyn(null)}"); err == nil || !strings.Contains(err.Error(), "no text") {
		t.Errorf("null as text: %v", err)
	}
}

// TestWhatDoesNotAlwaysFail is left alone: what a larger part that is constant makes good, and what reads something.
func TestWhatDoesNotAlwaysFail(t *testing.T) {
	for in, want := range map[string]any{
		"${true || 1 / 0 > 0}":                                     true,
		"${false ? 1 / 0 : 2}":                                     int64(2),
		"${[].map(x, 1 / 0).size() + request.body.n}":              int64(3),
		"${[1, 2].map(x, x + request.body.n)[0]}":                  int64(4),
		"${[2, 1].map(request, 2 / request)[1]}":                   int64(2),
		"${optional.of(1).orValue(2)}":                             int64(1),
		"${type(1) == int}":                                        true,
		"${request.body.n / request.body.n}":                       int64(1),
		"${['a', 'b'].exists(x, x == request.body.q.truncate(1))}": false,
		"${null}":       nil,
		"${{'a': 1}.a}": int64(1),
	} {
		template, err := testEnv(t).Compile(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, err := template.Value(t.Context(), testVars(), nil); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", in, got, err, want)
		}
	}
}

// TestConstantsTakeLittleTogether: what evaluating them takes counts as checking does.
func TestConstantsTakeLittleTogether(t *testing.T) {
	list := "[" + strings.Repeat("1,", 99) + "1]"
	for _, in := range []string{
		"${" + list + ".map(x, " + list + ".map(y, " + list + ".map(z, x + y + z))).size()}",
		"${" + list + ".map(x, " + list + ".map(y, x * y)).size()}",
	} {
		env := testEnv(t)
		_, err := env.Compile(in)
		if taken := env.Checked(); taken < 500 {
			t.Errorf("%.60s: counts as %d checks, %v", in, taken, err)
		}
	}
}
