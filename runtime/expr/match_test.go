package expr

import (
	"errors"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// hugeVars has a text of half a megabyte, and lists.
func hugeVars() map[string]any {
	numbers := make([]any, 50_000)
	for i := range numbers {
		numbers[i] = []any{int64(1), "x"}
	}
	return map[string]any{"request": map[string]any{"body": map[string]any{
		"text": strings.Repeat("a", 500_000), "half": strings.Repeat("a", 250_000) + "b", "dense": "[a-z]{1,1000}@", "bad": "(secret",
		"large": strings.Repeat("(a|b|c|d){1000}", 60), "few": []any{int64(1), 2.0, "x", nil}, "lists": numbers,
	}}}
}

// TestLongWorkIsRefusedBeforeItIsDone: CEL would charge for each of these when it has run, or not at all; some take minutes, and
// some the age of the universe.
func TestLongWorkIsRefusedBeforeItIsDone(t *testing.T) {
	nested := "request.body.few"
	for range 7 {
		nested = "[" + nested + "].map(x, [" + strings.Repeat("x, ", 31) + "x])"
	}
	for name, in := range map[string]string{
		"a pattern":              "${request.body.text.matches('[a-z]{1,1000}@')}",
		"a pattern, as function": "${matches(request.body.text, '[a-z]{1,1000}@')}",
		"a dynamic pattern":      "${request.body.text.matches(request.body.dense)}",
		"many matches":           "${request.body.lists.all(x, !request.body.text.matches('^b+c'))}",
		"many dynamic patterns":  "${request.body.lists.all(x, !'x'.matches('(b|cd){1,500}' + x[1] + string(x[0])))}",
		"equal trees":            "${" + nested + " == " + nested + "}",
		"unequal trees":          "${" + nested + " != " + nested + "}",
		"a tree in a list":       "${" + nested + " in [" + nested + "]}",
		"comparing again":        "${request.body.lists.all(x, request.body.lists == request.body.lists)}",
		"looking again":          "${request.body.lists.all(x, !(7 in request.body.lists))}",
		"doubling":               "${" + strings.Repeat("[", 8) + "request.body.text" + strings.Repeat("].map(x, x + x + x + x)[0]", 8) + ".size()}",
		"adding again":           "${request.body.lists.all(x, request.body.text + request.body.text != '')}",
		"counting again":         "${request.body.lists.all(x, request.body.text.size() > 0)}",
		"a text within":          "${request.body.text.indexOf(request.body.half)}",
		"from an offset":         "${request.body.text.indexOf(request.body.half, 1)}",
		"the last":               "${request.body.text.lastIndexOf(request.body.half)}",
		"the last up to":         "${request.body.text.lastIndexOf(request.body.half, 400000)}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, in).Value(t.Context(), hugeVars(), nil)
			if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(e, ErrSpent) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOneCallIsBounded: what a call costs is charged when it has run, so it must not run at all. These would take minutes.
func TestOneCallIsBounded(t *testing.T) {
	text := types.String(strings.Repeat("a", 8<<20))
	if v := matches(text, types.String(strings.Repeat("[a-z]{1,1000}", 9)+"@")); !types.IsError(v) {
		t.Errorf("matches gives %v", v)
	}
	if err := guardSearch([]ref.Val{text, text[:4<<20] + "b"}); err == nil {
		t.Error("a search is let through")
	}
	if err := guardAdd([]ref.Val{text, text + "a"}); err == nil {
		t.Error("a text of more than 16 MiB is let through")
	}
	if err := guardAdd([]ref.Val{text, text}); err != nil {
		t.Error(err)
	}
}

// TestMatchesAreCharged for the characters of the text times the automaton.
func TestMatchesAreCharged(t *testing.T) {
	for in, cost := range map[string]uint64{
		"${request.body.text.matches('^[a-b]+$')}":      500_000 * 4 / stepsPerCost,
		"${'aaaaaaaa'.matches(request.body.dense)}":     2000 + 8*2000/stepsPerCost,
		"${'aaaaaaaaaaaaaaaa'.matches('(a|bc){1000}')}": 16 * 3000 / stepsPerCost,
	} {
		template := compile(t, in)
		if _, err := template.Value(t.Context(), hugeVars(), NewCostBudget(cost, MaxOutput)); err == nil {
			t.Errorf("%s costs less than %d", in, cost)
		}
		if _, err := template.Value(t.Context(), hugeVars(), NewCostBudget(2*cost, MaxOutput)); err != nil {
			t.Errorf("%s costs more than %d: %v", in, 2*cost, err)
		}
	}
}

func TestPatternsOfExpressions(t *testing.T) {
	for in, want := range map[string]any{
		"${'order 66'.matches('[0-9]+')}": true, "${'x'.matches('^[0-9]+$')}": false, "${matches('é', r'^\\pL$')}": true,
		"${request.body.text.matches('^' + 'a+$')}": true, "${['a1', 'b'].filter(x, x.matches('[0-9]')).size()}": int64(1),
		"${request.body.few == [1.0, 2, 'x', null]}": true, "${request.body.few != [1, 2, 'x']}": true, "${{'a': [1]} == {'a': [1]}}": true,
		"${request.body.?none == optional.none()}": true, "${request.body.few[3] == null}": true, "${2 in request.body.few}": true,
		"${[1, 'x'] in request.body.lists}": true, "${'abc'.indexOf('c') + 'abcabc'.lastIndexOf('b')}": int64(6), "${request.body.text != 'b'}": true,
	} {
		if got, err := compile(t, in).Value(t.Context(), hugeVars(), nil); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	_, err := testEnv(t).Compile("${request.path.matches('" + strings.Repeat("(a|b|c|d){1000}", 60) + "')}")
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Message, "more than 20000 instructions") {
		t.Errorf("a large pattern: %v", err)
	}
	for _, name := range []string{"bad", "large"} {
		_, err := compile(t, "${'x'.matches(request.body."+name+")}").Value(t.Context(), hugeVars(), nil)
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "not a regular expression") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPatternsAreKept up to a bound.
func TestPatternsAreKept(t *testing.T) {
	c := cache{}
	for i := range 100 {
		if _, err := c.get(strings.Repeat("a", 8000+i)); err != nil || c.size > maxAutomata {
			t.Fatalf("%v, %d instructions", err, c.size)
		}
	}
	if len(c.known) < 2 || len(c.known) > 25 {
		t.Errorf("%d are kept", len(c.known))
	}
}
