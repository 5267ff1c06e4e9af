package flow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/problem"
)

const agentTools = `[
	{"name":"look","description":"Looks something up.","input":{"type":"object","required":["q"],"properties":{"q":{"type":"string"},"n":{"type":"integer","default":3}},"additionalProperties":false},
		"steps":[{"name":"x","http":{"upstream":"web","method":"GET","path":"/look/${input.q}"}}],"output":{"found":"${steps.x.body}","n":"${input.n}"}},
	{"name":"free","output":"sunny","steps":[{"name":"x","set":{"value":1}}]},
	{"name":"hurried","timeout":"1s","output":"${steps.x.body}","steps":[{"name":"x","http":{"upstream":"web","method":"GET","path":"/hang"}}]},
	{"name":"faulty","output":"${input.missing}","steps":[{"name":"x","set":{"value":1}}]}]`

func agentOf(more string) string {
	return `{"name":"s","agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["look","free","hurried","faulty"],` + more + `}}`
}

// turns answers each turn of a conversation; it counts the assistant's messages.
func turns(all ...func(c *asked) canned) upstreamFunc {
	return func(c *asked) canned {
		turn := 0
		for _, m := range c.body.Messages {
			if m["role"] == "assistant" {
				turn++
			}
		}
		return all[min(turn, len(all)-1)](c)
	}
}

func asks(text string, all ...toolCall) func(c *asked) canned {
	return func(c *asked) canned { return calls(c, text, all...) }
}

// finder answers each search, after a time.
func finder(d time.Duration) upstreamFunc {
	return func(c *asked) canned {
		if strings.HasSuffix(c.URL, "/hang") {
			return hangs(c)
		}
		if strings.HasSuffix(c.URL, "/big") {
			return jsonOf(200, `"`+strings.Repeat("x", 1000)+`"`)
		}
		return jsonOf(200, `{"path":"`+c.URL[strings.LastIndex(c.URL, "/"):]+`"}`).in(d)
	}
}

// toldOf lists the tool results that the model got in the last call, by their call.
func toldOf(c *asked) []string {
	var told []string
	for _, m := range c.body.Messages {
		if m["role"] == "tool" {
			told = append(told, fmt.Sprintf("%v: %v", m["tool_call_id"], m["content"]))
		}
	}
	return told
}

func TestAgents(t *testing.T) {
	for name, tt := range map[string]struct {
		model upstreamFunc
		told  []string // nil if the tools do not matter
		want  string
	}{
		"no tools are needed": {always("at once"), nil, `{"text":"at once","turns":1,"calls":[]}`},
		"several at once, in the order asked": {
			turns(asks("", toolCall{"1", "look", `{"q":"a b/c"}`}, toolCall{"2", "free", ""}, toolCall{"3", "look", `{"q":"z","n":1}`}), always("done")),
			[]string{`1: {"found":{"path":"/a%20b%2Fc"},"n":3}`, "2: sunny", `3: {"found":{"path":"/z"},"n":1}`},
			`{"text":"done","turns":2,"calls":["look","free","look"]}`,
		},
		"an id that is repeated": {
			turns(asks("", toolCall{"1", "look", `{"q":"a"}`}, toolCall{"1", "free", ""}), always("done")),
			[]string{`1: {"found":{"path":"/a"},"n":3}`, "1: sunny"},
			`{"text":"done","turns":2,"calls":["look","free"]}`,
		},
		"what the model gets wrong it is told": {
			turns(asks("", toolCall{"1", "nope", "{}"}, toolCall{"2", "look", "{"}, toolCall{"3", "look", `{"n":"x"}`}), always("done")),
			[]string{
				`1: {"error":{"code":"unknown_tool","message":"The only tools are look, free, hurried, faulty."}}`,
				`2: {"error":{"code":"invalid_arguments","message":"The arguments are not valid JSON: Unexpected end of JSON at byte 1. Write one JSON object."}}`, `3: {"error":{"code":"invalid_arguments","message":"at input.q: Field required; at input.n: `,
			},
			`{"text":"done","turns":2,"calls":["nope","look","look"]}`,
		},
		"arguments that are not a string, or say nothing": {
			func(c *asked) canned {
				if len(c.body.Messages) > 1 {
					return always("done")(c)
				}
				return jsonOf(200, `{"choices":[{"message":{"role":"assistant","tool_calls":[`+
					`{"id":"1","function":{"name":"look","arguments":{"q":"tea"}}},{"id":"2","function":{"name":"free","arguments":" \n"}},`+
					`{"id":"3","function":{"name":"free","arguments":[]}},{"id":"4","function":{"name":"free","arguments":"null"}},`+
					`{"id":"5","function":{"name":"look","arguments":"{\"q\":\"a\",\"q\":\"b\"}"}},{"id":"6","function":{"name":"look","arguments":[1]}},`+
					`{"id":7,"function":{"name":"free"}}]}}]}`)
			},
			[]string{
				`1: {"found":{"path":"/tea"},"n":3}`, "2: sunny", "3: sunny", "4: sunny", `5: {"found":{"path":"/b"},"n":3}`,
				`6: {"error":{"code":"invalid_arguments","message":"The arguments must be one JSON object."}}`, "7: sunny",
			},
			`{"text":"done","turns":2,"calls":["look","free","free","free","look","look","free"]}`,
		},
		"a tool's own failure it is told": {
			turns(asks("", toolCall{"1", "hurried", "{}"}, toolCall{"2", "faulty", "{}"}), always("done")),
			[]string{
				`1: {"error":{"code":"timeout","message":"The request took longer than this route allows."}}`,
				`2: {"error":{"code":"upstream_error","message":"This route cannot use an upstream's answer."}}`,
			},
			`{"text":"done","turns":2,"calls":["hurried","faulty"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": tt.model, "web": finder(0)},
					answering(`{"text":"${steps.s.text}","turns":"${steps.s.turns}","calls":"${steps.s.toolCalls.map(c, c.name)}"}`, agentOf(`"maxTurns":4,"maxParallel":4`)))
				w.wants(w.post(hi), 200, tt.want)
				asked := w.client.of("a")
				told := toldOf(asked[len(asked)-1])
				if len(told) != len(tt.told) {
					t.Fatalf("told %q", told)
				}
				for i, want := range tt.told {
					if !strings.HasPrefix(told[i], want) {
						t.Errorf("told %s, want %s", told[i], want)
					}
				}
				if faults := strings.Contains(name, "failure"); faults != (len(w.noted(&w.reports)) == 1) {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// Models see the functions as their configuration describes them.
func TestToolsAreDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": always("x")}, answering(`1`, agentOf(`"maxTurns":1,"maxParallel":1,"parameters":{"temperature":0.5}`)))
		w.wants(w.post(hi), 200, `1`)
		c := w.client.of("a")[0]
		first, _ := c.body.Tools[0]["function"].(map[string]any)
		second, _ := c.body.Tools[1]["function"].(map[string]any)
		parameters, _ := first["parameters"].(map[string]any)
		if len(c.body.Tools) != 4 || first["name"] != "look" || first["description"] != "Looks something up." || parameters["required"] == nil || c.body.Temperature != 0.5 {
			t.Errorf("tools %v", c.body.Tools)
		}
		if diff := cmp.Diff(map[string]any{"name": "free", "parameters": map[string]any{"type": "object"}}, second); diff != "" {
			t.Error(diff)
		}
	})
}

func TestToolsRunTogetherWithinTheirBound(t *testing.T) {
	look := func(n int) []toolCall {
		all := make([]toolCall, n)
		for i := range all {
			all[i] = toolCall{fmt.Sprint(i), "look", `{"q":"a"}`}
		}
		return all
	}
	for parallel, want := range map[int]time.Duration{1: 500 * ms, 2: 300 * ms, 5: 100 * ms} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": turns(asks("", look(5)...), always("x")), "web": finder(100 * ms)},
				answering(`1`, agentOf(fmt.Sprintf(`"maxTurns":2,"maxParallel":%d`, parallel))))
			if g := w.post(hi); g.after != want || w.client.peak != parallel {
				t.Errorf("%d at once: took %s with %d, want %s", parallel, g.after, w.client.peak, want)
			}
		})
	}
}

func TestAgentsEnd(t *testing.T) {
	forever := asks("", toolCall{"1", "look", `{"q":"a"}`})
	many := make([]toolCall, 129)
	for i := range many {
		many[i] = toolCall{"1", "free", "{}"}
	}
	for name, tt := range map[string]struct {
		route       string
		model       upstreamFunc
		status      int
		code        string
		turns, tool int
		after       time.Duration
	}{
		"at their turns, without the last tools": {answering(`1`, agentOf(`"maxTurns":3,"maxParallel":1`)), forever, 502, "turns_exceeded", 3, 2, 0},
		"at their turns, repairs counted": {
			answering(`1`, agentOf(`"maxTurns":3,"maxParallel":1,"output":{"schema":{"type":"object"},"repairAttempts":5}`)), always("no"), 502, "turns_exceeded", 3, 0, 0,
		},
		"when the calls are spent": {`{"budget":{"maxCalls":4,"maxBytes":100000},` + answering(`1`, agentOf(`"maxTurns":9,"maxParallel":1`))[1:], forever, 502, "budget_exceeded", 2, 2, 0},
		"when a tool has spent the bytes": {
			`{"budget":{"maxCalls":9,"maxBytes":600},` + answering(`1`, agentOf(`"maxTurns":9,"maxParallel":1`))[1:],
			asks("", toolCall{"1", "look", `{"q":"big"}`}), 502, "budget_exceeded", 1, 1, 0,
		},
		"when their time is over": {
			`{"timeout":"500ms",` + answering(`1`, agentOf(`"maxTurns":9,"maxParallel":1`))[1:], asks("", toolCall{"1", "hurried", "{}"}), 504, "timeout", 1, 1, 500 * ms,
		},
		"at too many calls in a turn": {answering(`1`, agentOf(`"maxTurns":2,"maxParallel":1`)), asks("", many...), 502, "upstream_error", 1, 0, 0},
		"when the model fails":        {answering(`1`, agentOf(`"maxTurns":2,"maxParallel":1`)), turns(forever, fails(503)), 503, "upstream_unavailable", 2, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": tt.model, "web": finder(0)}, tt.route)
				g := w.post(hi)
				w.refused(g, tt.status, codeOf(tt.code))
				if turns, tool := len(w.client.of("a")), len(w.client.of("web")); turns != tt.turns || tool != tt.tool || g.after != tt.after {
					t.Errorf("%d turns, %d tools, %s; want %d, %d, %s", turns, tool, g.after, tt.turns, tt.tool, tt.after)
				}
			})
		})
	}
}

// A streamed agent's turns are one stream: the text of each as it comes, and of the calls only their progress.
func TestStreamedAgents(t *testing.T) {
	model := turns(asks("Let me see. ", toolCall{"1", "look", `{"q":"MARK"}`}, toolCall{"2", "nope", "{}"}), func(c *asked) canned { return says(c, 10*ms, "It is ", "so.") })
	tell := func(tool, id, state string) string {
		return "event: progress\ndata: {\"step\":\"s\",\"tool\":\"" + tool + "\",\"id\":\"" + id + "\",\"state\":\"" + state + "\"}\n\n"
	}
	progress := tell("look", "1", "started") + tell("look", "1", "succeeded") + tell("nope", "2", "started") + tell("nope", "2", "failed")
	summed := `{"completion_tokens":8,"prompt_tokens":6,"total_tokens":14}`
	chunk := func(text string) string {
		return `data: {OWN,"choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}` + "\n\n"
	}
	for response, want := range map[string]string{
		`"stream":"s"`: `data: {OWN,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n" + chunk("Let me see. ") + chunk("It is ") + chunk("so.") +
			`data: {OWN,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + `data: {OWN,"choices":[],"usage":` + summed + "}\n\n" + doneEvent,
		`"stream":"s","format":"Text"`: "data: Let me see. \n\ndata: It is \n\ndata: so.\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + summed + "}\n\n",
		`"stream":"s","format":"JSON"`: "event: delta\ndata: {\"text\":\"Let me see. \"}\n\n" + progress + "event: delta\ndata: {\"text\":\"It is \"}\n\nevent: delta\ndata: {\"text\":\"so.\"}\n\n" +
			"event: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + summed + "}\n\n",
		`"events":{"steps":["s"],"progress":true},"body":"${steps.s.text}"`: "event: progress\ndata: {\"step\":\"s\",\"state\":\"started\"}\n\n" +
			"event: s\ndata: {\"text\":\"Let me see. \"}\n\n" + progress + "event: s\ndata: {\"text\":\"It is \"}\n\nevent: s\ndata: {\"text\":\"so.\"}\n\n" +
			"event: progress\ndata: {\"step\":\"s\",\"state\":\"succeeded\"}\n\nevent: result\ndata: \"It is so.\"\n\n" +
			"event: done\ndata: {\"usage\":{\"prompt_tokens\":6,\"completion_tokens\":8,\"total_tokens\":14}}\n\n",
	} {
		t.Run(response, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": model, "web": finder(0)}, streaming(response, agentOf(`"maxTurns":4,"maxParallel":1`)))
				g := w.post(hi)
				if diff := cmp.Diff(want, g.masked()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				second := w.client.of("a")[1].body.Messages
				if calls, _ := second[1]["tool_calls"].([]any); len(calls) != 2 || second[1]["content"] != "Let me see. " {
					t.Errorf("the turn was told again as %v", second[1])
				}
			})
		})
	}
}

// The promise of a streamed agent concerns all text that was sent, not only its last turn.
func TestPromisesOfStreamedAgents(t *testing.T) {
	for text, kept := range map[string]bool{"": true, "Let me see.": false} {
		synctest.Test(t, func(t *testing.T) {
			model := turns(asks(text, toolCall{"1", "look", `{"q":"a"}`}), always(`{"n":1}`))
			w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": model, "web": finder(0)},
				streaming(`"stream":"s","format":"JSON","commit":"AfterValidation","schema":{"type":"object"}`, agentOf(`"maxTurns":4,"maxParallel":2`)))
			if g := w.post(hi); kept != (g.status == 200) || kept != strings.Contains(g.body, `event: progress`) {
				t.Errorf("%q: %d %s", text, g.status, g.body)
			}
		})
	}
}

// Agents race like chats, and only the winner's tools and text are shown.
func TestStreamedAgentsRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := turns(func(c *asked) canned { return calls(c, "", toolCall{"1", "look", `{"q":"a"}`}) }, always("by agent"))
		branch := strings.Replace(agentOf(`"maxTurns":4,"maxParallel":2`), `"name":"s"`, `"name":"x"`, 1)
		w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{
			"a": model, "web": finder(100 * ms), "b": func(c *asked) canned { return says(c, 0, "by chat").in(200 * ms) },
		}, streaming(`"stream":"g","format":"Text"`, `{"name":"g","gather":{"strategy":"First","branches":[`+branch+`,{"name":"y",`+chatOf("b")+`}]}}`))
		g := w.post(hi)
		if !strings.HasPrefix(g.body, "data: by agent\n\nevent: done") {
			t.Errorf("%s", g.body)
		}
		wantCalls(t, w, "a 0s", "a 100ms", "b superseded 100ms", "web 100ms")
	})
}

func TestOutputIsRepaired(t *testing.T) {
	schema := `"output":{"repairAttempts":2,"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"unit":{"type":"string","default":"m"}}}}`
	chat := `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],` + schema + `}}`
	for name, tt := range map[string]struct {
		model upstreamFunc
		asked int
		want  string
	}{
		"at once":     {always(`{"n":1}`), 1, `{"o":{"n":1,"unit":"m"},"t":"{\"n\":1}","u":7}`},
		"in a fence":  {always("```json\n{\"n\":1}\n```"), 1, `{"o":{"n":1,"unit":"m"},"t":"{\"n\":1}","u":7}`},
		"after one":   {turns(always("Sure!"), always(`{"n":1}`)), 2, `{"o":{"n":1,"unit":"m"},"t":"{\"n\":1}","u":14}`},
		"after two":   {turns(always("Sure!"), always(`{"n":"x"}`), always(`{"n":2}`)), 3, `{"o":{"n":2,"unit":"m"},"t":"{\"n\":2}","u":21}`},
		"not at all":  {always(`{"n":"x"}`), 3, ""},
		"by no model": {fails(400), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.model},
					answering(`{"o":"${steps.s.output}","t":"${steps.s.text}","u":"${steps.s.usage.total_tokens}"}`, chat))
				g, asked := w.post(hi), w.client.of("a")
				switch {
				case tt.want != "":
					w.wants(g, 200, tt.want)
				case tt.asked > 1:
					w.refused(g, 502, "output_invalid")
				default:
					w.refused(g, 400, "upstream_rejected")
				}
				if len(asked) != tt.asked || asked[0].body.Format["type"] != "json_schema" {
					t.Errorf("asked %d times, want %d, for %v", len(asked), tt.asked, asked[0].body.Format)
				}
				if name == "after two" {
					told := asked[2].body.Messages
					if last := asked[2].last(); len(told) != 5 || told[3]["content"] != `{"n":"x"}` || !strings.Contains(last, "- at output.n: ") {
						t.Errorf("told %v", told)
					}
				}
			})
		})
	}
}

// A streamed step with an output sends its text once that is valid, and nothing of the text that had to be repaired.
func TestStreamedOutput(t *testing.T) {
	for upstreams, want := range map[string]string{
		"repaired":  "data: {\"n\":1}\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":{\"completion_tokens\":8,\"prompt_tokens\":6,\"total_tokens\":14}}\n\n",
		"exhausted": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			model := map[string]upstreamFunc{"repaired": turns(always("MARK"), always("```\n{\"n\":1}\n```")), "exhausted": always("MARK")}[upstreams]
			w := newWorld(t, settings{}, map[string]upstreamFunc{"a": model}, streaming(`"stream":"s","format":"Text"`,
				`{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"output":{"schema":{"type":"object"},"repairAttempts":1}}}`))
			g := w.post(hi)
			if want != "" {
				w.wants(g, 200, want)
			} else if w.refused(g, 502, "output_invalid"); strings.Contains(g.body, "MARK") {
				t.Error(g.body)
			}
		})
	}
}

func TestFences(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, " {} \n": "{}", "```json\n{}\n```": "{}", "```\n[1]\n```  \n": "[1]", "```json\n{}": "```json\n{}", "```{}```": "```{}```", "": "",
		"```json\n```": "",
	} {
		if got := unfenced(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Progress covers the steps that the route itself declares, not those of functions or of a forEach's items.
func TestProgressWithinFunctionsIsNotTold(t *testing.T) {
	inner := `"agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["free"],"maxTurns":2,"maxParallel":1}`
	functions := `[{"name":"free","output":"sunny","steps":[{"name":"x","set":{"value":1}}]},{"name":"f","output":1,"steps":[{"name":"hidden",` + inner + `}]}]`
	for name, step := range map[string]string{
		"a function": `{"name":"s","call":{"function":"f"}}`,
		"a forEach":  `{"name":"s","forEach":{"items":"${[1]}","maxItems":1,"maxParallel":1,"do":{` + inner + `}}}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{functions: functions}, map[string]upstreamFunc{"a": turns(asks("", toolCall{"1", "free", "{}"}), always("x"))},
				streaming(`"events":{"progress":true}`, step))
			want := "event: progress\ndata: {\"step\":\"s\",\"state\":\"started\"}\n\nevent: progress\ndata: {\"step\":\"s\",\"state\":\"succeeded\"}\n\n" +
				"event: done\ndata: {\"usage\":{\"prompt_tokens\":6,\"completion_tokens\":8,\"total_tokens\":14}}\n\n"
			if diff := cmp.Diff(want, w.post(hi).body); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestPlacesAreThoseOfTheModelsAnswer(t *testing.T) {
	loc := []any{"output", "shapes", 1, problem.Tag("circle"), "radius"}
	if got, want := dotted(loc), "output.shapes.1.radius"; got != want {
		t.Errorf("place %q, want %q", got, want)
	}
}
