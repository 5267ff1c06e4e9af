package expr

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secret stands for what a user sent; no error may hold it.
const secret = "s3cr3t-prompt"

func testVars() map[string]any {
	return map[string]any{
		"request": map[string]any{
			"method":  "POST",
			"path":    "/answer",
			"headers": map[string]string{"x-tenant": "a"},
			"body": map[string]any{
				"q": secret, "n": int64(3), "f": 1.5, "yes": true, "nothing": nil, "whole": 2.0,
				"list": []any{int64(1), "<a>", nil, map[string]any{"z": int64(1), "a": false}},
				"bad":  string([]byte{0xff}),
			},
		},
		"steps": map[string]any{"answer": map[string]any{"text": "T"}, "a-b": int64(7)},
	}
}

func testTypes() Vars {
	return Vars{
		"request": Object(map[string]Type{"method": String, "path": String, "headers": Map(String), "body": Dyn}),
		"steps":   Object(map[string]Type{"answer": Dyn, "a-b": Dyn}),
	}
}

func testEnv(t testing.TB) *Env {
	t.Helper()
	env, err := NewEnv(testTypes())
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestValue(t *testing.T) {
	tests := map[string]struct {
		in   string
		want any
	}{
		"empty":                     {"", ""},
		"literal":                   {"plain $ text", "plain $ text"},
		"escape":                    {"$${x}", "${x}"},
		"string":                    {"${request.body.q}", secret},
		"integer keeps its type":    {"${request.body.n}", int64(3)},
		"arithmetic on integers":    {"${request.body.n + 1}", int64(4)},
		"number keeps its type":     {"${request.body.f * 2.0}", 3.0},
		"integer beside number":     {"${request.body.n > 2.5}", true},
		"unsigned":                  {"${1u}", uint64(1)},
		"boolean":                   {"${request.body.yes}", true},
		"null keeps its type":       {"${request.body.nothing}", nil},
		"list":                      {"${request.body.list}", testVars()["request"].(map[string]any)["body"].(map[string]any)["list"]},
		"list made here":            {"${[1, 2].map(x, x * 2)}", []any{int64(2), int64(4)}},
		"joined lists":              {"${[1] + request.body.list.filter(x, x == '<a>')}", []any{int64(1), "<a>"}},
		"map made here":             {"${{'a': request.body.n}}", map[string]any{"a": int64(3)}},
		"map of headers":            {"${request.headers}", map[string]any{"x-tenant": "a"}},
		"method and path":           {"${request.method + request.path}", "POST/answer"},
		"header":                    {"${request.headers['x-tenant']}", "a"},
		"absent header":             {"${request.headers[?'x-b'].orValue('none')}", "none"},
		"absent member":             {"${request.body.?nope.orValue('x')}", "x"},
		"has":                       {"${has(request.body.q) && !has(request.body.nope)}", true},
		"step":                      {"${steps.answer.text}", "T"},
		"step by index":             {"${steps['a-b']}", int64(7)},
		"step with a dash":          {"${steps.`a-b`}", int64(7)},
		"bytes are base64":          {"${b'abc'}", "YWJj"},
		"timestamp":                 {"${timestamp('2026-01-02T03:04:05Z')}", "2026-01-02T03:04:05Z"},
		"duration":                  {"${duration('1m1.5s')}", "61.5s"},
		"string functions":          {"${' a,b '.trim().split(',')}", []any{"a", "b"}},
		"text around":               {"a ${request.body.n} b", "a 3 b"},
		"text from two expressions": {"${request.body.n}${request.body.yes}", "3true"},
		"strings stand as they are": {"<${steps.answer.text}>", "<T>"},
		"JSON in text":              {"x${request.body.list}", `x[1,"<a>",null,{"a":false,"z":1}]`},
		"number in text":            {"x${request.body.f}", "x1.5"},
		"whole number in text":      {"x${request.body.whole}", "x2"},
		"unsigned in text":          {"x${18446744073709551615u}", "x18446744073709551615"},
		"brace in a string":         {"${ {'a': '}'}['a'] }", "}"},
	}
	env, vars := testEnv(t), testVars()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Value(t.Context(), vars, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(testVars(), vars); diff != "" {
		t.Error("the variables were changed:", diff)
	}
}

func TestTextOfOneExpression(t *testing.T) {
	template, err := testEnv(t).Compile("${request.body.list}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Text(t.Context(), testVars(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[1,"<a>",null,{"a":false,"z":1}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestValueIsACopy: a step's result must not change because someone changes what an expression gave.
func TestValueIsACopy(t *testing.T) {
	template, err := testEnv(t).Compile("${request.body}")
	if err != nil {
		t.Fatal(err)
	}
	vars := testVars()
	got, err := template.Value(t.Context(), vars, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.(map[string]any)["list"].([]any)[0] = "changed"
	if diff := cmp.Diff(testVars(), vars); diff != "" {
		t.Error(diff)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := map[string]struct {
		in      string
		column  int
		message string
	}{
		"unknown variable":        {"a ${ foo }", 6, "undeclared reference to 'foo'; the variables here are request, steps"},
		"unknown step":            {"${steps.nope.x}", 8, "undefined field 'nope'; steps has a-b, answer"},
		"unknown step, optional":  {"${steps.?nope.orValue(1)}", 8, "undefined field 'nope'"},
		"unknown step by index":   {"${steps['nope']}", 8, "undefined field 'nope'; steps has a-b, answer"},
		"step by computed index":  {"${steps[request.path]}", 8, "no matching overload"},
		"unknown request field":   {"${request.foo}", 10, "undefined field 'foo'; request has body, headers, method, path"},
		"wrong types":             {"${1 + 'a'}", 5, "no matching overload"},
		"header is a string":      {"${request.headers.a + 1}", 21, "no matching overload"},
		"syntax":                  {"${1 +}", 6, "Syntax error"},
		"later line":              {"é\n${1 +\n foo}", 10, "undeclared reference to 'foo'"},
		"after another character": {"${'é' + foo}", 9, "undeclared reference to 'foo'"},
		"second expression":       {"${request.path} ${foo}", 19, "undeclared reference to 'foo'"},
		"optional":                {"${request.headers[?'a']}", 3, ".orValue(…)"},
		"optional in text":        {"x ${request.body.?a}", 5, ".orValue(…)"},
		"type":                    {"${type(1)}", 3, "a type is not a value"},
		"bad pattern":             {"${request.path.matches('(')}", 3, "missing closing )"},
		"unknown function":        {"${toJson(request.body)}", 9, "undeclared reference to 'toJson'"},
		"lexer":                   {"x${", 2, "no closing }"},
		"too long":                {"${'" + strings.Repeat("a", maxExpressionBytes) + "'}", 3, "size"},
	}
	env := testEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := env.Compile(tt.in)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Column != tt.column || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %v, want column %d and %q", e, tt.column, tt.message)
			}
		})
	}
}

func TestNoMembers(t *testing.T) {
	env, err := NewEnv(Vars{"steps": Object(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Compile("${steps.a}"); err == nil || !strings.Contains(err.Error(), "steps has none") {
		t.Errorf("got %v", err)
	}
}

func TestNewEnvRefuses(t *testing.T) {
	for name, vars := range map[string]Vars{"empty": {"": Dyn}, "no name": {"a-b": Dyn}, "optional": {"a": Optional(Dyn)}} {
		if _, err := NewEnv(vars); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEvaluationFails(t *testing.T) {
	tests := map[string]struct{ in, message string }{
		"null in text":       {"x${request.body.nothing}", "${request.body.nothing} is null"},
		"absent member":      {"${request.body.nope}", "${request.body.nope} refers to a key or field that does not exist"},
		"absent key":         {"${{'a': 1}[request.body.q]}", "refers to a key or field that does not exist"},
		"absent index":       {"${[1][request.body.n]}", "refers to an index that does not exist"},
		"wrong type":         {"${request.body.q + 1}", "wrong type"},
		"int times double":   {"${request.body.n * 2.0}", "wrong type"},
		"not a number":       {"${int(request.body.q)}", "converts a value that has no such form"},
		"not a timestamp":    {"${timestamp(request.body.q)}", "no such form"},
		"division":           {"${request.body.n / 0}", "divides by zero"},
		"remainder":          {"${request.body.n % 0}", "divides by zero"},
		"overflow":           {"${request.body.n * 9223372036854775807}", "out of range"},
		"infinity":           {"${request.body.f / 0.0}", "not a finite number"},
		"optional in dyn":    {"${dyn(optional.of(request.body.q))}", ".orValue(…)"},
		"value of none":      {"${request.body.?nope.value()}", "takes the value of an optional that has none"},
		"keys not strings":   {"${{request.body.n: request.body.q}}", "keys are not strings"},
		"type in dyn":        {"${dyn(type(request.body.q))}", "JSON does not have"},
		"not UTF-8, in JSON": {"x${[request.body.bad]}", "not UTF-8"},
		"bad format":         {"${request.body.q.substring(5, 1)}", "cannot be evaluated"},
		"cost":               {"${[1,2,3,4,5,6,7,8,9,0].map(a, [1,2,3,4,5,6,7,8,9,0].map(b, [1,2,3,4,5,6,7,8,9,0].map(c, [1,2,3,4,5,6,7,8,9,0].map(d, [1,2,3,4,5,6,7,8,9,0].map(e, request.body.q)))))}", "more work"},
		"cost in sum":        {strings.Repeat("${size([1,2,3,4,5,6,7,8,9,0].map(a, [1,2,3,4,5,6,7,8,9,0].map(b, [1,2,3,4,5,6,7,8,9,0].map(c, [1,2,3,4,5,6,7,8,9,0].map(d, request.body.n)))))}", 20), "more work"},
	}
	env, vars := testEnv(t), testVars()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Value(t.Context(), vars, nil)
			if err == nil {
				t.Fatalf("no error, got %v", got)
			}
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got %v, want %q", err, tt.message)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats what was sent: %v", err)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	env := testEnv(t)
	vars := map[string]any{"request": map[string]any{"body": map[string]any{
		"fits": strings.Repeat("a", MaxOutput), "half": strings.Repeat("a", MaxOutput/2+1), "control": strings.Repeat("\x01", MaxOutput/4),
	}}}
	tests := map[string]struct {
		in string
		ok bool
	}{
		"exactly":         {"${request.body.fits}", true},
		"one more":        {"a${request.body.fits}", false},
		"sum":             {"${request.body.half}${request.body.half}", false},
		"list":            {"${[request.body.half, request.body.half]}", false},
		"map":             {"${{'a': request.body.half, 'b': request.body.half}}", false},
		"escapes of JSON": {"x${[request.body.control]}", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			_, err = template.Value(t.Context(), vars, nil)
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "more output") {
				t.Errorf("got %v, want an error about output", err)
			}
		})
	}
}

func TestContextEndsEvaluation(t *testing.T) {
	template, err := testEnv(t).Compile("${[1,2,3].map(x, x)}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := template.Value(ctx, testVars(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// expiring is a context that has ended, as one does in the middle of an evaluation.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestContextInterruptsEvaluation(t *testing.T) {
	list := make([]any, 10_000)
	for i := range list {
		list[i] = int64(i)
	}
	ctx := expiring{t.Context(), make(chan struct{})}
	close(ctx.done)
	template, err := testEnv(t).Compile("${request.body.map(x, x + 1).size()}")
	if err != nil {
		t.Fatal(err)
	}
	r, err := start(t.Context(), map[string]any{"request": map[string]any{"body": list}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.value(ctx, &template.parts[0])
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "was interrupted") {
		t.Errorf("got %v, want an interrupt", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	env := testEnv(t)
	template, err := env.Compile("a ${request.body.list} ${request.body.n + 1}")
	if err != nil {
		t.Fatal(err)
	}
	vars := testVars()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got, err := template.Value(t.Context(), vars, nil); err != nil || !strings.HasSuffix(got.(string), " 4") {
					t.Errorf("got %v, %v", got, err)
				}
			}
			if _, err := env.Compile("${request.body.n}"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkValue(b *testing.B) {
	for name, text := range map[string]string{
		"literal": "You are a helpful assistant.",
		"one":     "${request.body.q}",
		"text":    "Use only: ${steps.answer.text}. Answer ${request.body.q} in ${request.body.n} words.",
	} {
		b.Run(name, func(b *testing.B) {
			template, err := testEnv(b).Compile(text)
			if err != nil {
				b.Fatal(err)
			}
			vars := testVars()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := template.Value(b.Context(), vars, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	env := testEnv(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := env.Compile("Use only: ${steps.answer.text}. Answer ${request.body.q}"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMaxCost measures how long MaxCost takes to use up.
func BenchmarkMaxCost(b *testing.B) {
	ten := "[1,2,3,4,5,6,7,8,9,0]"
	template, err := testEnv(b).Compile("${" + ten + ".map(a, " + ten + ".map(b, " + ten + ".map(c, " + ten + ".map(d, " + ten + ".map(e, request.body.q)))))}")
	if err != nil {
		b.Fatal(err)
	}
	vars := testVars()
	for b.Loop() {
		if _, err := template.Value(b.Context(), vars, nil); err == nil {
			b.Fatal("no error")
		}
	}
}
