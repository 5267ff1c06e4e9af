package expr

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A member that is looked up is what CEL gives, at CEL's cost; and what cannot be looked up is CEL's.
func TestMembersAreLookedUp(t *testing.T) {
	values := func() map[string]any {
		vars := typedValues()
		usage := vars["steps"].(map[string]any)["answer"].(map[string]any)["usage"].(map[string]any)
		usage["cached"], usage["ratio"], usage["endless"], usage["small"], usage["none"] = true, 1.5, math.Inf(1), 7, nil
		return vars
	}
	tests := map[string]bool{ // whether the member is looked up
		"${request.body.q}":                             true,
		"a ${request.body.q} ${steps.answer.text}.":     true,
		"${request.body.score}":                         false, // a number of one type may have come as one of the other
		"${request.body.level}":                         false,
		"${steps.answer.usage.total_tokens}":            true,
		"${steps.answer.usage.cached}":                  true,
		"${steps.answer.usage.ratio}":                   true,
		"${steps.answer.usage.endless}":                 true,
		"${steps.answer.usage.small}":                   true,
		"${steps.answer.usage.none}":                    true,
		"${steps.answer.usage.nothing}":                 true,
		"${steps.answer.usage.total_tokens.more}":       true,
		"${steps.context.errors.docs.code.orValue('')}": false,
		"${request.headers}":                            true,
		"${request.body.items}":                         true,
		"${request.body.note.orValue('')}":              false,
		"${request.body.?q.orValue('')}":                false,
		"${request.body['q']}":                          true,
		"${has(request.body.note)}":                     false,
		"${request.body.q + '!'}":                       false,
		"${request.body.maybe == null}":                 false,
		"${[1].map(request, request)[0]}":               false,
		"${'constant'}":                                 false,
	}
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	for text, looked := range tests {
		with, err := env.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		without := &Template{want: with.want, typ: with.typ}
		ways := 0
		for _, p := range with.parts {
			if p.way != nil {
				ways++
			}
			p.way = nil
			without.parts = append(without.parts, p)
		}
		if (ways > 0) != looked {
			t.Errorf("%s: %d parts are looked up", text, ways)
		}
		b, byCEL := NewCostBudget(MaxCost, MaxOutput), NewCostBudget(MaxCost, MaxOutput)
		got, gotErr := with.Value(t.Context(), values(), b)
		want, wantErr := without.Value(t.Context(), values(), byCEL)
		if diff := cmp.Diff(want, got); diff != "" || messageOf(gotErr) != messageOf(wantErr) {
			t.Errorf("%s: %v, want %v (-want +got):\n%s", text, gotErr, wantErr, diff)
		}
		if b.cost.Unused() != byCEL.cost.Unused() || b.bytes.Load() != byCEL.bytes.Load() {
			t.Errorf("%s leaves %d of the cost and %d bytes, want %d and %d",
				text, b.cost.Unused(), b.bytes.Load(), byCEL.cost.Unused(), byCEL.bytes.Load())
		}
	}
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What no JSON has is never looked up.
func TestOnlyJSONIsLookedUp(t *testing.T) {
	for _, value := range []any{math.NaN(), math.Inf(-1), int(1), nil, []any{}, map[string]any{}, map[string]string{"a": "b"}} {
		if got, found := lookUp(map[string]any{"a": map[string]any{"b": value}}, []string{"a", "b"}); found {
			t.Errorf("%v is looked up as %v", value, got)
		}
	}
	if _, found := lookUp(map[string]any{"a": map[string]string{"b": "c"}}, []string{"a", "b"}); found {
		t.Error("a map of another type is looked into")
	}
}

// A template whose expressions are members allocates its text, and the value that holds it: their evaluation costs nothing.
func TestAllocationsOfMembers(t *testing.T) {
	vars := testVars()
	for text, most := range map[string]float64{
		"${request.body.q}": 0,
		"Use only: ${steps.answer.text}. Answer ${request.body.q} now.": 2,
	} {
		template := compile(t, text)
		b := NewCostBudget(1<<40, 1<<40)
		ctx := t.Context()
		n := testing.AllocsPerRun(100, func() {
			if _, err := template.Value(ctx, vars, b); err != nil {
				t.Fatal(err)
			}
		})
		if n > most {
			t.Errorf("%s: %v allocations, want at most %v", text, n, most)
		}
	}
}
