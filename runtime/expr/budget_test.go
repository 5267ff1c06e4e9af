package expr

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func compile(t testing.TB, text string) *Template {
	t.Helper()
	template, err := testEnv(t).Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// TestBudgetIsShared: what one evaluation has taken, the next one lacks, and the error names the expression.
func TestBudgetIsShared(t *testing.T) {
	tests := map[string]struct {
		budget  *CostBudget
		in      string
		message string
	}{
		"cost":  {NewCostBudget(1000, MaxOutput), "${[1,2,3].map(x, x)}", "${[1,2,3].map(x, x)} takes more work than the request has left"},
		"bytes": {NewCostBudget(MaxCost, 1000), "${request.body.q}", "${request.body.q} gives more output than the request has left"},
		"text":  {NewCostBudget(MaxCost, 1000), "only ${request.path}", "gives more output than the request has left"},
		"none":  {NewCostBudget(0, MaxOutput), "${'free'}", "takes more work than the request has left"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template := compile(t, tt.in)
			var err error
			runs := 0
			for ; err == nil && runs < 1000; runs++ {
				_, err = template.Value(t.Context(), testVars(), tt.budget)
			}
			if err == nil || !strings.Contains(err.Error(), tt.message) || strings.Contains(err.Error(), secret) {
				t.Fatalf("after %d runs: %v, want %q", runs, err, tt.message)
			}
			if name != "none" && runs < 10 {
				t.Errorf("only %d runs", runs)
			}
			if _, err := template.Value(t.Context(), testVars(), tt.budget); err == nil {
				t.Error("a spent budget allows more")
			}
		})
	}
}

func TestBudgetOfTrees(t *testing.T) {
	tree, err := testEnv(t).CompileTree([]byte(`{"a": ["${request.body.q}"]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := NewCostBudget(MaxCost, 2*len(secret))
	if _, err := tree.JSON(t.Context(), testVars(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Value(t.Context(), testVars(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.JSON(t.Context(), testVars(), b); err == nil || !strings.Contains(err.Error(), "at /a/0, column 3: ${request.body.q} gives more output than the request has left") {
		t.Errorf("got %v", err)
	}
}

// TestBudgetIsExact: branches that run at once take no more together than they would in turn.
func TestBudgetIsExact(t *testing.T) {
	template := compile(t, "${request.path}")
	b := NewCostBudget(MaxCost, 100*len("/answer"))
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := template.Value(t.Context(), testVars(), b); err == nil {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d evaluations passed, want 100", passed.Load())
	}
}

// TestHelpersAreCharged: a helper costs what CEL's own functions do, one unit for ten bytes that it reads or writes.
func TestHelpersAreCharged(t *testing.T) {
	text := strings.Repeat("a", 100_000)
	list := make([]any, 10_000)
	for i := range list {
		list[i] = "0123456789"
	}
	vars := map[string]any{"request": map[string]any{"body": map[string]any{"text": text, "list": list, "json": `"` + text + `"`}}}
	for name, in := range map[string]string{
		"truncate":   "${request.body.text.truncate(10)}",
		"json":       "${request.body.list.json().size() > 0}",
		"written":    "${[request.body.text].json() == ''}",
		"parseJson":  "${request.body.json.parseJson() == ''}",
		"htmlEscape": "${request.body.text.htmlEscape() == ''}",
		"urlEncode":  "${request.body.text.urlEncode() == ''}",
		"base64":     "${request.body.text.base64() == ''}",
		"join":       "${request.body.list.join() == ''}",
		"join with":  "${request.body.list.join(',') == ''}",
	} {
		t.Run(name, func(t *testing.T) {
			template := compile(t, in)
			if _, err := template.Value(t.Context(), vars, NewCostBudget(9_000, MaxOutput)); err == nil {
				t.Error("100,000 bytes for less than 9,000")
			}
			if _, err := template.Value(t.Context(), vars, NewCostBudget(60_000, MaxOutput)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWorkIsReserved: of the evaluations that run at once, only the last may go over what there is.
func TestWorkIsReserved(t *testing.T) {
	const budget = MaxCost * 3 / 2
	template := compile(t, "${request.body.list.map(x, request.body.list.map(y, 1)).size()}")
	list := make([]any, 250)
	var ran atomic.Int64
	vars := func() map[string]any {
		once := sync.OnceValue(func() any {
			ran.Add(1)
			return map[string]any{"body": map[string]any{"list": list}}
		})
		return map[string]any{"request": func() any { return once() }}
	}
	whole := NewCostBudget(MaxCost, MaxOutput)
	if _, err := template.Value(t.Context(), vars(), whole); err != nil {
		t.Fatal(err)
	}
	each := MaxCost - whole.cost.Unused()
	ran.Store(0)
	b := NewCostBudget(budget, MaxOutput)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _ = template.Value(t.Context(), vars(), b) })
	}
	wg.Wait()
	if most := int64(budget+MaxCost) / each; ran.Load() > most || ran.Load() == 0 {
		t.Errorf("%d evaluations of %d ran, want at most %d", ran.Load(), each, most)
	}
}

// TestWhatIsGivenIsCounted: the memory that a value takes is counted, apart for each part of a budget.
func TestWhatIsGivenIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		in    string
		least int
	}{
		"a text":    {"${request.path}", len("/answer")},
		"a list":    {"${[1, 2, 3]}", 3 * 16},
		"an object": {"${{'a': 1}}", 300},
		"text":      {"at ${request.path}", len("/answer")},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewCostBudget(MaxCost, MaxOutput)
			apart := b.Apart()
			if _, err := compile(t, tt.in).Value(t.Context(), testVars(), apart); err != nil || apart.Given() < tt.least {
				t.Errorf("%v; %d bytes were counted, want %d", err, apart.Given(), tt.least)
			}
			if b.Given() != 0 {
				t.Errorf("%d bytes were counted twice", b.Given())
			}
		})
	}
}

// TestPartsShareABudget: what one part has taken, the others lack.
func TestPartsShareABudget(t *testing.T) {
	template := compile(t, "${request.path}")
	b := NewCostBudget(MaxCost, 2*len("/answer"))
	for i := range 3 {
		if _, err := template.Value(t.Context(), testVars(), b.Apart().Apart()); (err == nil) != (i < 2) {
			t.Errorf("evaluation %d: %v", i, err)
		}
	}
}
