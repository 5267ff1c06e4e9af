package flow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
)

func budgetOf(calls, tokens, bytes int, route string) string {
	return fmt.Sprintf(`{"budget":{"maxCalls":%d,"maxTokens":%d,"maxBytes":%d},`, calls, tokens, bytes) + route[1:]
}

// All work for a request shares what it may spend, and if it is exceeded, the error says so.
func TestBudgets(t *testing.T) {
	step := func(name string) string { return `{"name":"` + name + `",` + chatOf("a") + `}` }
	// A call that may be skipped does not count as one that every answer needs: a budget below those is refused at load.
	maybe := func(name string) string {
		return `{"when":"${request.body.q != ''}","name":"` + name + `",` + chatOf("a") + `}`
	}
	each := `{"name":"s","forEach":{"items":"${[1,2,3]}","maxItems":3,"maxParallel":1,"do":{"call":{"function":"f"}}}}`
	big := func(*asked) canned { return jsonOf(200, `"`+strings.Repeat("x", 998)+`"`) }
	get := func(name string) string {
		return `{"name":"` + name + `","http":{"upstream":"web","method":"GET","path":"/x"}}`
	}
	for name, tt := range map[string]struct {
		route  string
		script map[string]upstreamFunc
		status int
		asked  int
	}{
		"calls, enough":              {budgetOf(2, 0, 9999, answering(`1`, step("x"), step("y"))), nil, 200, 2},
		"calls, of steps":            {budgetOf(1, 0, 9999, answering(`1`, step("x"), maybe("y"))), nil, 502, 1},
		"calls, of branches":         {budgetOf(1, 0, 9999, answering(`1`, `{"name":"g","gather":{"strategy":"All","branches":[`+step("x")+`,`+maybe("y")+`]}}`)), nil, 502, 1},
		"calls, of functions":        {budgetOf(2, 0, 9999, answering(`1`, each)), nil, 502, 2},
		"calls, of further attempts": {budgetOf(1, 0, 9999, answering(`1`, step("x"))), map[string]upstreamFunc{"a": fails(503)}, 502, 1},
		"calls, of streams":          {budgetOf(1, 0, 9999, streaming(`"stream":"y"`, maybe("x"), step("y"))), nil, 502, 1},
		"calls, of a relayed stream": {budgetOf(1, 0, 9999, streaming(`"stream":"x"`, step("x"))), map[string]upstreamFunc{"a": fails(503)}, 502, 1},
		"tokens, enough":             {budgetOf(9, 15, 9999, answering(`1`, step("x"), step("y"), step("z"))), nil, 200, 3},
		"tokens, of steps":           {budgetOf(9, 14, 9999, answering(`1`, step("x"), step("y"), step("z"))), nil, 502, 2},
		"tokens, of repairs": {
			budgetOf(9, 7, 9999, answering(`1`, `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"output":{"schema":{"type":"object"},"repairAttempts":1}}}`)), nil, 502, 1,
		},
		"tokens, of streams":           {budgetOf(9, 7, 9999, streaming(`"events":{"steps":["x","y"]}`, step("x"), step("y"))), nil, 200, 1},
		"tokens, of embeddings":        {budgetOf(9, 7, 9999, answering(`1`, step("x"), `{"name":"y","embeddings":{"upstream":"a","input":"x"}}`)), nil, 502, 1},
		"tokens, that embeddings took": {budgetOf(9, 2, 9999, answering(`1`, `{"name":"y","embeddings":{"upstream":"b","input":"x"}}`, step("x"))), map[string]upstreamFunc{"b": vectors}, 502, 1},
		"tokens, of the losers of a race": {
			budgetOf(9, 20, 9999, answering(`1`, gatherOf("First", "", "a", "b"), step("y"))),
			map[string]upstreamFunc{"a": slow(time.Second, "x"), "b": hangs},
			502, 2,
		},
		"tokens, of attempts that failed": {
			budgetOf(9, 20, 9999, answering(`1`, step("x"), step("y"))),
			map[string]upstreamFunc{"a": func(c *asked) canned {
				if c.n == 1 {
					return jsonOf(200, `[]`)
				}
				return says(c, 0, "x")
			}},
			502, 2,
		},
		"tokens, that nobody reports": {
			budgetOf(9, 20, 9999, answering(`1`, step("x"), step("y"))),
			map[string]upstreamFunc{"a": func(*asked) canned { return jsonOf(200, `{"choices":[{"message":{"content":"x"}}]}`) }},
			502, 1,
		},
		"bytes, enough":        {budgetOf(9, 0, 1000, answering(`1`, get("x"))), map[string]upstreamFunc{"web": big}, 200, 1},
		"bytes, of one answer": {budgetOf(9, 0, 999, answering(`1`, get("x"))), map[string]upstreamFunc{"web": big}, 502, 1},
		"bytes, all spent":     {budgetOf(9, 0, 1000, answering(`1`, get("x"), get("y"))), map[string]upstreamFunc{"web": big}, 502, 1},
		"bytes, of two":        {budgetOf(9, 0, 1500, answering(`1`, get("x"), get("y"))), map[string]upstreamFunc{"web": big}, 502, 2},
		"bytes, of a stream that is checked": {
			budgetOf(9, 0, 30, streaming(`"stream":"x","format":"Text","schema":{"type":"string"}`, step("x"))), map[string]upstreamFunc{"a": always(strings.Repeat("x", 40))}, 502, 1,
		},
		"bytes, of a stream that is passed on": {
			budgetOf(9, 0, 30, streaming(`"stream":"x","format":"Text"`, step("x"))), map[string]upstreamFunc{"a": always(strings.Repeat("x", 40))}, 200, 1,
		},
		"bytes, of what is held": {
			budgetOf(9, 0, 150, streaming(`"stream":"x","commit":"AfterValidation","schema":{"type":"string"}`, step("x"))), map[string]upstreamFunc{"a": always("some", "more")}, 502, 1,
		},
		"bytes, of expressions": {
			budgetOf(9, 0, 40, answering(`"${steps.x.text + steps.x.text}"`, step("x"))), map[string]upstreamFunc{"a": always(strings.Repeat("x", 21))}, 502, 1,
		},
		"bytes, of expressions of what was sent": {
			budgetOf(9, 0, 40, answering(`"${request.body.q + request.body.q}"`, `{"name":"s","set":{"value":"${request.body}"}}`)), nil, 422, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := tt.script
				if script == nil {
					script = map[string]upstreamFunc{"a": always("x")}
				}
				s := settings{endpoints: 2, functions: `[{"name":"f","output":"${steps.x.text}","steps":[{"name":"x","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]}}]}]`}
				w := newWorld(t, s, script, tt.route)
				g := w.post(`{"q":"` + strings.Repeat("x", 16) + `"}`)
				switch {
				case tt.status == 502:
					w.refused(g, 502, "budget_exceeded")
				case tt.status == 422:
					w.blames(g, `["body","q"]`)
				case g.status != 200, g.code() == "budget_exceeded" != strings.HasPrefix(name, "tokens, of streams"):
					t.Errorf("%d %s; reports %q", g.status, g.body, w.reports)
				}
				if n := len(w.client.of("")); n != tt.asked {
					t.Errorf("%d calls were made, want %d", n, tt.asked)
				}
			})
		})
	}
}

// Each call may use as much as the others have left.
func TestTheBudgetClampsMaxTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := func(name, parameters string) string {
			return `{"name":"` + name + `","chat":{"upstream":"a","parameters":` + parameters + `,"messages":[{"role":"user","content":"x"}]}}`
		}
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x")},
			budgetOf(9, 100, 9999, streaming(`"stream":"z"`, step("x", `{}`), step("y", `{"max_tokens":5}`), step("z", `{"max_tokens":1000}`))))
		if g := w.post(hi); g.status != 200 {
			t.Fatalf("%d %s", g.status, g.body)
		}
		for i, want := range []int{100, 5, 86} {
			if got := w.client.of("a")[i].body.MaxTokens; got != want {
				t.Errorf("call %d may use %d tokens, want %d", i, got, want)
			}
		}
	})
}

// The work of expressions is bounded over all steps of a request, no matter how little each does.
func TestTheBudgetOfExpressions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, answering(`"${request.body.l.map(x, request.body.l.map(y, request.body.l.map(z, x + y + z))).size()}"`))
		w.blames(w.post(`{"l":[`+strings.Repeat("1,", 199)+`1]}`), `["body","l"]`)
	})
	r := newRequest(t.Context(), &Route{Route: &program.Route{Route: &config.Route{}}}, &relay.Request{Memory: relay.Unlimited}, false)
	if r.work == nil || maxWork < expr.MaxCost {
		t.Error("a single expression may not use its own bound")
	}
}
