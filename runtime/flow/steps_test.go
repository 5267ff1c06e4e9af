package flow

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// echo answers with the last message.
func echo(c *asked) canned { return says(c, 0, c.last()) }

// vectors answers each text with its length.
func vectors(c *asked) canned {
	list := make([]string, len(c.body.Input))
	for i, text := range c.body.Input {
		list[i] = fmt.Sprintf(`{"index":%d,"embedding":[%d,0.5]}`, i, len(text))
	}
	return jsonOf(200, `{"data":[`+strings.Join(list, ",")+`],"usage":{"prompt_tokens":2,"total_tokens":2}}`)
}

const doubling = `[{"name":"double","description":"Says it twice.","input":{"type":"object","required":["word"],
	"properties":{"word":{"type":"string","minLength":1},"between":{"type":"string","default":" and "}}},
	"steps":[{"name":"x","set":{"value":"${input.word}${input.between}${input.word}"}}],"output":{"twice":"${steps.x}"}}]`

func TestStepsOfEveryKind(t *testing.T) {
	for _, tt := range []struct {
		name, route, request, want string
		script                     map[string]upstreamFunc
		status                     int
	}{
		{
			name: "chat", status: 200, script: map[string]upstreamFunc{"a": echo},
			route:   answering(`{"t":"${steps.s.text}","f":"${steps.s.finishReason}","u":"${steps.s.usage.total_tokens}","r":"${steps.s.message.role}"}`, `{"name":"s",`+chatOf("a")+`}`),
			request: hi, want: `{"t":"hi","f":"stop","u":7,"r":"assistant"}`,
		},
		{
			name: "embeddings of a list", status: 200, script: map[string]upstreamFunc{"a": vectors},
			route:   answering(`{"v":"${steps.s.vectors}","u":"${steps.s.usage.total_tokens}"}`, `{"name":"s","embeddings":{"upstream":"a","input":"${request.body.texts}"}}`),
			request: `{"texts":["one","three"]}`, want: `{"v":[[3,0.5],[5,0.5]],"u":2}`,
		},
		{
			name: "embeddings of a text", status: 200, script: map[string]upstreamFunc{"a": vectors},
			route:   answering(`"${steps.s.vectors[0][0]}"`, `{"name":"s","embeddings":{"upstream":"a","input":"query: ${request.body.q}"}}`),
			request: hi, want: `9`,
		},
		{
			name: "embeddings of nothing", status: 200, script: map[string]upstreamFunc{},
			route:   answering(`"${steps.s.vectors}"`, `{"name":"s","embeddings":{"upstream":"a","input":"${request.body.texts}"}}`),
			request: `{"texts":[]}`, want: `[]`,
		},
		{
			name: "embeddings of what is no text", status: 422,
			route:   answering(`"${steps.s.vectors}"`, `{"name":"s","embeddings":{"upstream":"a","input":"${request.body.texts}"}}`),
			request: `{"texts":[1]}`, want: `["body","texts"]`,
		},
		{
			name: "call, with a default filled in", status: 200,
			route:   answering(`"${steps.s.twice}"`, `{"name":"s","call":{"function":"double","input":{"word":"${request.body.q}"}}}`),
			request: hi, want: `"hi and hi"`,
		},
		{
			name: "call, with what the function does not take", status: 422,
			route:   answering(`"${steps.s.twice}"`, `{"name":"s","call":{"function":"double","input":{"word":"${request.body.q}"}}}`),
			request: `{"q":""}`, want: `["body","q"]`,
		},
		{
			name: "for each", status: 200,
			route: answering(`"${steps.s.map(x, x.twice)}"`,
				`{"name":"s","forEach":{"items":"${request.body.words}","maxItems":3,"maxParallel":2,"do":{"call":{"function":"double","input":{"word":"${item}","between":"${string(index)}"}}}}}`),
			request: `{"words":["a","b","c"]}`, want: `["a0a","b1b","c2c"]`,
		},
		{
			name: "for each of none", status: 200,
			route:   answering(`"${steps.s}"`, `{"name":"s","forEach":{"items":"${request.body.words}","maxItems":3,"maxParallel":2,"do":{"call":{"function":"double","input":{"word":"${item}"}}}}}`),
			request: `{"words":[]}`, want: `[]`,
		},
		{
			name: "for each of too many", status: 422,
			route:   answering(`"${steps.s}"`, `{"name":"s","forEach":{"items":"${request.body.words}","maxItems":3,"maxParallel":2,"do":{"call":{"function":"double","input":{"word":"${item}"}}}}}`),
			request: `{"words":["a","b","c","d"]}`, want: `["body","words"]`,
		},
		{
			name: "for each of what is no list", status: 422,
			route:   answering(`"${steps.s}"`, `{"name":"s","forEach":{"items":"${request.body.words}","maxItems":3,"maxParallel":2,"do":{"call":{"function":"double","input":{"word":"${item}"}}}}}`),
			request: `{"words":"abc"}`, want: `["body","words"]`,
		},
		{
			name: "set, of types that later steps rely on", status: 200,
			route: answering(`{"sum":"${steps.s.n + 1}","text":"${steps.s.list[1]}"}`,
				`{"name":"s","set":{"value":{"n":"${size(request.body.q)}","list":[1,"<${request.body.q}>"],"none":null}}}`),
			request: hi, want: `{"sum":3,"text":"<hi>"}`,
		},
		{
			name: "respond", status: 418,
			route:   answering(`"not this"`, `{"name":"s","respond":{"status":418,"body":{"short":"${request.body.q}"}}}`),
			request: hi, want: `{"short":"hi"}`,
		},
		{
			name: "respond without a body", status: 204,
			route: answering(`"not this"`, `{"name":"s","respond":{"status":204}}`), request: hi, want: "",
		},
		{
			name: "respond, or not", status: 200,
			route:   answering(`"this"`, `{"name":"s","when":"${request.body.q == 'bye'}","respond":{"status":418}}`),
			request: hi, want: `"this"`,
		},
		{
			name: "respond before a stream", status: 403,
			route: streaming(`"stream":"x"`, `{"name":"s","when":"${request.body.q == 'hi'}","respond":{"status":403,"body":{"no":true}}}`,
				`{"name":"x","timeout":"1s",`+chatOf("a")+`}`),
			request: hi, want: `{"no":true}`,
		},
		{
			name: "no steps at all", status: 200, route: `{"response":{"body":{"is":"${request.method} ${request.path}"}}}`, request: hi, want: `{"is":"POST /"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: doubling}, tt.script, tt.route)
				g := w.post(tt.request)
				if tt.status == 422 {
					w.blames(g, tt.want)
				} else {
					w.wants(g, tt.status, tt.want)
				}
			})
		})
	}
}

// A request to a model has everything that the step declares.
func TestPrompts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x")}, answering(`"${steps.s.text}"`,
			`{"name":"s","chat":{"upstream":"a","parameters":{"temperature":"${request.body.t}","max_tokens":9},"messages":[
			{"role":"system","content":"Be brief."},{"history":"${request.body.before}"},{"role":"user","content":"<${request.body.q}>"}]}}`))
		g := w.post(`{"q":"why?","t":0.25,"before":[{"role":"user","content":"one"},{"role":"assistant","content":null,"tool_calls":[]}]}`)
		w.wants(g, 200, `"x"`)
		c := w.client.of("a")[0]
		want := []map[string]any{
			{"role": "system", "content": "Be brief."},
			{"role": "user", "content": "one"},
			{"role": "assistant", "content": nil, "tool_calls": []any{}},
			{"role": "user", "content": "<why?>"},
		}
		if diff := cmp.Diff(want, c.body.Messages); diff != "" || c.body.Temperature != 0.25 || c.body.MaxTokens != 9 || c.body.Model != "model-a" {
			t.Errorf("asked with %+v\n%s", c.body, diff)
		}
		g = w.post(`{"q":"x","t":1,"before":[{"role":"nobody","content":"MARK"}]}`)
		if g.status != 422 || !strings.Contains(g.body, "messages[0].role") || strings.Contains(g.body, "MARK") {
			t.Errorf("a bad history: %d %s", g.status, g.body)
		}
	})
}

// Each kind can be skipped, be given a time, and be replaced if it fails.
func TestWhatStandsAroundEveryKind(t *testing.T) {
	slowFunction := `[{"name":"f","output":"${steps.x.text}","steps":[{"name":"x",` + strings.ReplaceAll(chatOf("a"), "request.body.q", "'x'") + `}]}]`
	kinds := map[string]string{
		"chat":       chatOf("a"),
		"embeddings": `"embeddings":{"upstream":"a","input":"x"}`,
		"http":       `"http":{"upstream":"web","method":"GET","path":"/x"}`,
		"call":       `"call":{"function":"f"}`,
		"agent":      `"agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["f"],"maxTurns":2,"maxParallel":1}`,
		"gather":     `"gather":{"strategy":"All","branches":[` + branchesOf("a", "b") + `]}`,
		"forEach":    `"forEach":{"items":"${[1,2]}","maxItems":2,"maxParallel":2,"do":{"call":{"function":"f"}}}`,
	}
	script := map[string]upstreamFunc{"a": hangs, "b": hangs, "web": hangs}
	failing := map[string]upstreamFunc{"a": fails(503), "b": fails(503), "web": fails(503)}
	around := []struct {
		name, around, body string
		script             map[string]upstreamFunc
		status             int
		want               string
		after              time.Duration
	}{
		{"skipped", `"when":"${request.body.q == 'no'}",`, `"${steps.?s.hasValue()}"`, script, 200, `false`, 0},
		{"timeout", `"timeout":"2s",`, `1`, script, 504, "timeout", 2 * time.Second},
		{"failed", ``, `1`, failing, 503, "upstream_unavailable", 0},
		{"continue", `"timeout":"2s","onError":{"continue":{}},`, `"${steps.?s.hasValue()}"`, script, 200, `false`, 2 * time.Second},
		{"value", `"onError":{"value":{"code":"${error.code}","q":"${request.body.q}"}},`, `"${steps.s}"`, failing, 200, `{"code":"upstream_unavailable","q":"hi"}`, 0},
		{"value after a timeout", `"timeout":"2s","onError":{"value":"${error.code}: ${error.message}"},`, `"${steps.s}"`, script, 200, `"timeout: The request took longer than this route allows."`, 2 * time.Second},
		{"respond", `"onError":{"respond":{"status":209,"body":{"because":"${error.code}"}}},`, `1`, failing, 209, `{"because":"upstream_unavailable"}`, 0},
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, tt := range around {
			t.Run(kind+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, settings{functions: slowFunction}, tt.script, answering(tt.body, `{"name":"s",`+tt.around+kinds[kind]+`}`))
					g := w.post(hi)
					if tt.status >= 500 {
						w.refused(g, tt.status, codeOf(tt.want))
					} else {
						w.wants(g, tt.status, tt.want)
					}
					if g.after != tt.after {
						t.Errorf("took %s, want %s", g.after, tt.after)
					}
					if tt.name == "skipped" && len(w.client.of("")) > 0 {
						t.Error("called all the same")
					}
				})
			})
		}
	}
}

// The same holds for branches and the items of a forEach.
func TestWhatStandsAroundBranchesAndItems(t *testing.T) {
	for name, tt := range map[string]struct{ step, body, want string }{
		"All, skipped and continued": {
			`{"name":"g","gather":{"strategy":"All","branches":[{"name":"x","when":"${false}",` + chatOf("b") + `},
			{"name":"y","onError":{"continue":{}},` + chatOf("c") + `},{"name":"z","onError":{"value":{"text":"${error.code}"}},` + chatOf("c") + `}]}}`,
			`{"x":"${steps.g.?x.hasValue()}","y":"${steps.g.?y.hasValue()}","z":"${steps.g.z.text}"}`, `{"x":false,"y":false,"z":"upstream_error"}`,
		},
		"All, not required": {
			`{"name":"g","gather":{"strategy":"All","branches":[{"name":"x",` + chatOf("b") + `},{"name":"y","required":false,` + chatOf("c") + `}]}}`,
			`{"x":"${steps.g.x.text}","y":"${steps.g.?y.hasValue()}"}`, `{"x":"hi","y":false}`,
		},
		"AllSettled": {
			`{"name":"g","gather":{"strategy":"AllSettled","branches":[{"name":"x","required":true,` + chatOf("b") + `},{"name":"y",` + chatOf("c") + `},
			{"name":"w","when":"${false}",` + chatOf("b") + `},{"name":"z","timeout":"1s",` + chatOf("a") + `}]}}`,
			`{"x":"${steps.g.x.text}","y":"${steps.g.?y.hasValue()}","codes":["${steps.g.errors.?x.hasValue()}","${steps.g.errors.?y.code.orValue('')}","${steps.g.errors.?w.hasValue()}","${steps.g.errors.?z.code.orValue('')}"]}`,
			`{"x":"hi","y":false,"codes":[false,"upstream_error",false,"timeout"]}`,
		},
		"First, skipped": {
			`{"name":"g","gather":{"strategy":"First","branches":[{"name":"x","when":"${false}",` + chatOf("b") + `},{"name":"y",` + chatOf("b") + `}]}}`,
			`"${steps.g.branch}"`, `"y"`,
		},
		"for each, continued": {
			`{"name":"g","forEach":{"items":"${['b','c']}","maxItems":2,"maxParallel":1,"do":{"onError":{"continue":{}},` + chatOf("c") + `}}}`,
			`"${steps.g}"`, `[null,null]`,
		},
		"for each, replaced": {
			`{"name":"g","forEach":{"items":"${['b','c']}","maxItems":2,"maxParallel":1,"do":{"timeout":"1s","onError":{"value":"${item}${index}${error.code}"},` + chatOf("a") + `}}}`,
			`"${steps.g}"`, `["b0timeout","c1timeout"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": hangs, "b": echo, "c": fails(500)}, answering(tt.body, tt.step))
				w.wants(w.post(hi), 200, tt.want)
			})
		})
	}
}

func TestARequiredBranchOfAllSettledFailsItLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": slow(300*ms, "x"), "b": fails(429)}, answering(`1`,
			`{"name":"g","gather":{"strategy":"AllSettled","branches":[{"name":"x","required":true,`+chatOf("b")+`},{"name":"y",`+chatOf("a")+`}]}}`))
		g := w.post(hi)
		w.refused(g, 429, "upstream_overloaded")
		if g.after != 300*ms {
			t.Errorf("took %s, want 300ms", g.after)
		}
	})
}

// A race in which no branch took part leaves the step without a value; if one failed, its error is reported.
func TestARaceWithoutAWinner(t *testing.T) {
	for _, strategy := range []string{"First", "Fallback"} {
		race := func(second string) string {
			return `{"name":"g","gather":{"strategy":"` + strategy + `","branches":[{"name":"x","when":"${false}",` + chatOf("a") + `},{"name":"y",` + second + chatOf("b") + `}]}}`
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, map[string]upstreamFunc{"b": fails(500)}, answering(`1`, race("")))
			w.refused(w.post(hi), 502, "upstream_error")
		})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, nil, answering(`"${steps.g.text.orValue('nobody')}"`, race(`"when":"${false}",`)))
			w.wants(w.post(hi), 200, `"nobody"`)
		})
	}
}

// A forEach works on this many items at once, and stops at the first failure.
func TestForEachIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		route := answering(`"${steps.g.map(x, x.text)}"`, `{"name":"g","forEach":{"items":"${request.body.q}","maxItems":9,"maxParallel":2,"do":{"chat":{"upstream":"a","messages":[{"role":"user","content":"${item}"}]}}}}`)
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": func(c *asked) canned {
			if c.last() == "bad" {
				return fails(500)(c)
			}
			return echo(c).in(100 * ms)
		}}, route)
		g := w.post(`{"q":["1","2","3","4","5"]}`)
		w.wants(g, 200, `["1","2","3","4","5"]`)
		if g.after != 300*ms || w.client.peak != 2 {
			t.Errorf("took %s with %d at once, want 300ms with 2", g.after, w.client.peak)
		}
		g = w.post(`{"q":["1","bad","3","4","5"]}`)
		w.refused(g, 502, "upstream_error")
		if asked := len(w.client.of("a")); asked > 7 || g.after != 0 {
			t.Errorf("asked %d times more, for %s", asked-5, g.after)
		}
	})
}

// An upstream's value that the manifest cannot use is reported, even if a step's onError hides it from clients.
func TestFaultsThatAreHandledAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("MARK")}, answering(`"${steps.s}"`, `{"name":"x",`+chatOf("a")+`}`,
			`{"name":"s","onError":{"value":"${error.code}"},"set":{"value":"${int(steps.x.text)}"}}`))
		w.wants(w.post(hi), 200, `"upstream_error"`)
		if reports := w.noted(&w.reports); len(reports) != 1 || !strings.Contains(reports[0], "set.value") || strings.Contains(reports[0], "MARK") {
			t.Errorf("reported %q", reports)
		}
	})
}

// A panic in one of several calls is a fault of the gateway. It is reported once, and ends nothing else.
func TestPanicsInBranches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := func(*asked) canned { panic("MARK") }
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": panics, "b": echo}, answering(`"${steps.g.b2.text.orValue('')}"`, gatherOf("AllSettled", "", "a", "b")))
		g := w.post(hi)
		w.wants(g, 200, `"hi"`)
		if panics := w.noted(&w.panics); !slices.Equal(panics, []string{"string"}) {
			t.Errorf("panics %q", panics)
		}
		if all := strings.Join(w.noted(&w.reports), ""); strings.Contains(all+g.body, "MARK") {
			t.Errorf("told of its value: %s %s", all, g.body)
		}
	})
}

// Another endpoint is tried if the first fails, unless the request could do harm twice.
func TestOnlyWhatIsIdempotentIsTriedAgain(t *testing.T) {
	for _, method := range config.Methods {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{endpoints: 2}, map[string]upstreamFunc{"web": func(c *asked) canned {
				if c.n == 1 {
					return fails(503)(c)
				}
				return jsonOf(200, `1`)
			}}, answering(`"${steps.s.body}"`, `{"name":"s","http":{"upstream":"web","method":"`+method+`","path":"/x"}}`))
			g, again := w.post(hi), method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
			if g.status == 200 != again || w.client.of("web")[0].Method != method {
				t.Errorf("%s: %d %s", method, g.status, g.body)
			}
		})
	}
}
