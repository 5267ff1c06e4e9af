package flow

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/relay"
)

// ownHead is the beginning of the gateway's own chunks, which have a random name.
var ownHead = regexp.MustCompile(`\{"id":"chatcmpl-[-0-9a-f]{36}","object":"chat\.completion\.chunk","created":\d+,"model":"s",`)

func (g got) masked() string { return ownHead.ReplaceAllString(g.body, "{OWN,") }

const (
	errorHead = `{"error":{"message":"`
	truncated = errorHead + `The upstream's answer broke off before its end.","type":"server_error","param":null,"code":"upstream_truncated"}}`
)

func roleOf() string {
	return `data: {"model":"model-a","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
}

func contentOf(text string) string {
	return `data: {"model":"model-a","choices":[{"index":0,"delta":{"content":"` + text + `"}}]}` + "\n\n"
}

func stopOf() string {
	return `data: {"model":"model-a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
}

// breaks streams a word and then breaks off.
func breaks(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "one ")}}) }

func TestFormatsByteByByte(t *testing.T) {
	step := `{"name":"s",` + chatOf("a") + `}`
	two := func(c *asked) canned { return says(c, 100*ms, "one ", "t\nwo") }
	nothing := func(c *asked) canned { return streams(c, nil).ends(c, "stop") }
	for _, tt := range []struct {
		name, response, want string
		script               upstreamFunc
	}{
		{
			"OpenAI", `"stream":"s"`,
			roleOf() + contentOf("one ") + contentOf(`t\nwo`) + stopOf() + doneEvent, two,
		},
		{
			"Text", `"stream":"s","format":"Text"`,
			"data: one \n\ndata: t\ndata: wo\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + sortedUsage + "}\n\n", two,
		},
		{
			"JSON", `"stream":"s","format":"JSON"`,
			"event: delta\ndata: {\"text\":\"one \"}\n\nevent: delta\ndata: {\"text\":\"t\\nwo\"}\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + sortedUsage + "}\n\n", two,
		},
		{
			"events", `"events":{"steps":["s"],"progress":true},"body":{"all":"${steps.s.text}"}`,
			"event: progress\ndata: {\"step\":\"s\",\"state\":\"started\"}\n\n" +
				"event: s\ndata: {\"text\":\"one \"}\n\nevent: s\ndata: {\"text\":\"t\\nwo\"}\n\n" +
				"event: progress\ndata: {\"step\":\"s\",\"state\":\"succeeded\"}\n\n" +
				"event: result\ndata: {\"all\":\"one t\\nwo\"}\n\nevent: done\ndata: {\"usage\":" + usageJSON + "}\n\n", two,
		},
		{"OpenAI, broken off", `"stream":"s"`, roleOf() + contentOf("one ") + "data: " + truncated + "\n\n", breaks},
		{"Text, broken off", `"stream":"s","format":"Text"`, "data: one \n\nevent: error\ndata: " + truncated + "\n\n", breaks},
		{"JSON, broken off", `"stream":"s","format":"JSON"`, "event: delta\ndata: {\"text\":\"one \"}\n\nevent: error\ndata: " + truncated + "\n\n", breaks},
		{
			"events, broken off", `"events":{"steps":["s"],"progress":true}`,
			"event: progress\ndata: {\"step\":\"s\",\"state\":\"started\"}\n\nevent: s\ndata: {\"text\":\"one \"}\n\n" +
				"event: progress\ndata: {\"step\":\"s\",\"state\":\"failed\"}\n\nevent: error\ndata: " + truncated + "\n\n", breaks,
		},
		{"OpenAI, nothing said", `"stream":"s"`, roleOf() + stopOf() + doneEvent, nothing},
		{"Text, nothing said", `"stream":"s","format":"Text"`, "event: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + sortedUsage + "}\n\n", nothing},
		{"events, only a result", `"events":{},"body":"${steps.s.text}"`, "event: result\ndata: \"one t\\nwo\"\n\nevent: done\ndata: {\"usage\":" + usageJSON + "}\n\n", two},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script}, streaming(tt.response, step))
				g := w.post(hi)
				if diff := cmp.Diff(tt.want, g.body); diff != "" || g.status != 200 || g.header.Get("Content-Type") != "text/event-stream" {
					t.Errorf("%d %s %v (-want +got):\n%s", g.status, g.header, g.err, diff)
				}
			})
		})
	}
}

// A route's only step is streamed in another way than several steps, but clients cannot see a difference.
func TestRelayedAndProducedStreamsAreTheSame(t *testing.T) {
	relayed := `{"name":"s",` + chatOf("a") + `}`
	produced := `{"name":"s","timeout":"60s",` + chatOf("a") + `}`
	limits := map[string]string{"": "", "with a bound on tokens": `"budget":{"maxCalls":2,"maxTokens":100,"maxBytes":100000},`}
	for script, answer := range map[string]upstreamFunc{
		"words":   func(c *asked) canned { return says(c, 10*ms, "one ", "two") },
		"nothing": func(c *asked) canned { return streams(c, nil).ends(c, "stop") },
		"only an end": func(*asked) canned {
			return canned{header: http.Header{"Content-Type": {"text/event-stream"}}, parts: []part{{text: doneEvent}}}
		},
		"tool calls":      func(c *asked) canned { return calls(c, "", toolCall{"1", "f", "{}"}) },
		"broken off":      breaks,
		"refused":         fails(400),
		"overloaded":      fails(429),
		"silent at first": func(c *asked) canned { return streams(c, nil).hangs() },
		"silent later":    func(c *asked) canned { return breaks(c).hangs() },
		"an error event": func(c *asked) canned {
			return streams(c, []part{{text: chunkOf(c, "x")}, {text: "data: {\"error\":{\"message\":\"MARK\"}}\n\n"}})
		},
		"one that another takes over": func(c *asked) canned {
			if c.n%2 == 1 {
				return streams(c, nil)
			}
			return says(c, 0, "rescued")
		},
	} {
		for limit, budget := range limits {
			t.Run(script+limit, func(t *testing.T) {
				var answers [2]got
				for i, step := range []string{relayed, produced} {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, settings{endpoints: 2}, map[string]upstreamFunc{"a": answer}, `{`+budget+streaming(`"stream":"s"`, step)[1:])
						answers[i] = w.post(hi)
						delete(answers[i].header, "Date")
					})
				}
				if diff := cmp.Diff(answers[0], answers[1], cmp.AllowUnexported(got{})); diff != "" {
					t.Errorf("relayed and produced differ (-relayed +produced):\n%s", diff)
				}
				if answers[0].body == "" {
					t.Error("there is no answer")
				}
			})
		}
	}
}

// A stream that is not an upstream's own has chunks of the gateway's.
func TestOwnChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always(`{"n":`, `1}`)}, streaming(`"stream":"s"`,
			`{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"output":{"schema":{"type":"object"}}}}`))
		g := w.post(hi)
		want := `data: {OWN,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n" +
			`data: {OWN,"choices":[{"index":0,"delta":{"content":"{\"n\":1}"},"finish_reason":null}]}` + "\n\n" +
			`data: {OWN,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
			`data: {OWN,"choices":[],"usage":` + sortedUsage + "}\n\n" + doneEvent
		if diff := cmp.Diff(want, g.masked()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Several steps, one after the other and together, send events under their names.
func TestNamedEventsOfSeveralSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{
			"a": func(c *asked) canned { return says(c, 200*ms, "a1", "a2") },
			"b": func(c *asked) canned { return says(c, 200*ms, "b1", "b2").in(100 * ms) },
			"c": always("c1"),
		}, streaming(`"events":{"steps":["g.b1","g.b2","last"],"progress":true}`,
			gatherOf("All", "", "a", "b"), `{"name":"no","when":"${false}",`+chatOf("c")+`}`, `{"name":"last",`+chatOf("c")+`}`))
		g := w.post(hi)
		tell := func(step, state string) string {
			return "event: progress\ndata: {\"step\":\"" + step + "\",\"state\":\"" + state + "\"}\n\n"
		}
		say := func(step, text string) string { return "event: " + step + "\ndata: {\"text\":\"" + text + "\"}\n\n" }
		rest := say("g.b1", "a1") + say("g.b2", "b1") + say("g.b1", "a2") + tell("g.b1", "succeeded") + say("g.b2", "b2") + tell("g.b2", "succeeded") +
			tell("g", "succeeded") + tell("no", "skipped") + tell("last", "started") + say("last", "c1") + tell("last", "succeeded") +
			"event: done\ndata: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}}\n\n"
		one, two := tell("g.b1", "started"), tell("g.b2", "started")
		if g.body != tell("g", "started")+one+two+rest && g.body != tell("g", "started")+two+one+rest &&
			g.body != tell("g", "started")+one+strings.Replace(rest, say("g.b1", "a1"), say("g.b1", "a1")+two, 1) {
			t.Errorf("got\n%s\nwant\n%s", g.body, tell("g", "started")+one+two+rest)
		}
	})
}

// A gather with a winner sends events under its own name, and one without sends them for each branch that has tokens.
func TestNamedEventsOfGathers(t *testing.T) {
	say := func(step, text string) string { return "event: " + step + "\ndata: {\"text\":\"" + text + "\"}\n\n" }
	noTokens := `{"name":"g","gather":{"strategy":"All","branches":[` + branchesOf("a") + `,{"name":"page","http":{"upstream":"web","method":"GET","path":"/"}}]}}`
	mixed := `{"name":"g","gather":{"strategy":"Fallback","branches":[` + branchesOf("c") + `,{"name":"page","http":{"upstream":"web","method":"GET","path":"/"}}]}}`
	for name, tt := range map[string]struct{ step, want, body, branch string }{
		"fallback, the first":  {gatherOf("Fallback", "", "a", "b"), say("g", "a1") + say("g", "a2"), "${steps.g.branch}", "b1"},
		"fallback, the second": {gatherOf("Fallback", "", "c", "b"), say("g", "b1"), "${steps.g.branch}", "b2"},
		"fallback, silent":     {gatherOf("Fallback", `"fallback":{"firstToken":"1s"}`, "b", "a"), say("g", "b1"), "${steps.g.branch}", "b1"},
		"first":                {gatherOf("First", "", "b", "a"), say("g", "a1") + say("g", "a2"), "${steps.g.branch}", "b2"},
		"all, some without":    {noTokens, say("g.b1", "a1") + say("g.b1", "a2"), "${string(steps.g.page.status)}", "200"},
		"a winner without":     {mixed, "", "${steps.g.branch}", "page"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{
					"a": func(c *asked) canned { return says(c, 100*ms, "a1", "a2") },
					"b": func(c *asked) canned { return says(c, 0, "b1").in(500 * ms) },
					"c": fails(503), "web": func(*asked) canned { return jsonOf(200, `1`) },
				}, streaming(`"events":{"steps":["g"]},"body":"`+tt.body+`"`, tt.step))
				g := w.post(hi)
				events, _, found := strings.Cut(g.body, "event: result\n")
				if events != tt.want || !found || !strings.Contains(g.body, "event: result\ndata: \""+tt.branch+"\"\n\nevent: done\n") {
					t.Errorf("got\n%s\nwant\n%s and the branch %q", g.body, tt.want, tt.branch)
				}
			})
		})
	}
}

// Comments keep a stream alive, even before its first token.
func TestKeepAlive(t *testing.T) {
	for name, route := range map[string]string{
		"relayed":  streaming(`"stream":"s","keepAlive":"2s"`, `{"name":"s",`+chatOf("a")+`}`),
		"produced": streaming(`"stream":"s","keepAlive":"2s"`, `{"name":"s","timeout":"20s",`+chatOf("a")+`}`),
		"events":   streaming(`"events":{"steps":["s"]},"keepAlive":"2s"`, `{"name":"s",`+chatOf("a")+`}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": func(c *asked) canned { return says(c, 3*time.Second, "one", "two").in(5 * time.Second) }}, route)
				g := w.post(hi)
				if before, _, _ := strings.Cut(g.body, "one"); g.status != 200 || strings.Count(before, ": keep-alive\n\n") != 2 || strings.Count(g.body, ": keep-alive\n\n") != 3 {
					t.Errorf("%d %s", g.status, g.body)
				}
			})
		})
	}
}

func TestPromises(t *testing.T) {
	schema := `"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`
	text := `"schema":{"type":"string","maxLength":5}`
	step := `{"name":"s",` + chatOf("a") + `}`
	bad, good := func(c *asked) canned { return says(c, 0, `{"n":`, `"MARK"}`) }, func(c *asked) canned { return says(c, 0, `{"n":`, `1}`) }
	words := func(c *asked) canned { return says(c, 0, `abcdef`) }
	for _, tt := range []struct {
		name, response string
		script         upstreamFunc
		status         int
		begins, code   string
	}{
		{"whole, kept", `"body":"${steps.s.output}",` + schema, good, 200, `{"n":1}`, ""},
		{"whole, broken", `"body":"${steps.s.text.parseJson()}",` + schema, bad, 502, `{"detail":`, "response_invalid"},
		{"streamed, kept", `"stream":"s","format":"JSON",` + schema, good, 200, "event: delta\ndata: {\"text\":\"{\\\"n\\\":\"}", ""},
		{"streamed, broken", `"stream":"s","format":"JSON",` + schema, bad, 200, "event: delta\ndata: {\"text\":\"{\\\"n\\\":\"}", "response_invalid"},
		{"chunks, broken", `"stream":"s",` + schema, bad, 200, roleOf() + contentOf(`{\"n\":`), "response_invalid"},
		{"text, kept", `"stream":"s","format":"Text","schema":{"type":"string","maxLength":6}`, words, 200, "data: abcdef\n\n", ""},
		{"text, broken", `"stream":"s","format":"Text",` + text, words, 200, "data: abcdef\n\n", "response_invalid"},
		{"held, kept", `"stream":"s","commit":"AfterValidation",` + schema, good, 200, roleOf() + contentOf(`{\"n\":`), ""},
		{"held, broken", `"stream":"s","commit":"AfterValidation",` + schema, bad, 502, `{"detail":`, "response_invalid"},
		{"held, broken off", `"stream":"s","commit":"AfterValidation",` + schema, breaks, 502, `{"detail":`, "upstream_truncated"},
		{"a result, kept", `"events":{},"body":{"n":1},` + schema, good, 200, "event: result\ndata: {\"n\":1}\n\n", ""},
		{"a result, broken", `"events":{"steps":["s"]},"body":"${steps.s.text.parseJson()}",` + schema, bad, 200, "event: s\n", "response_invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := streaming(tt.response, step)
				if strings.Contains(tt.response, "s.output") {
					route = strings.Replace(route, `"chat":{`, `"chat":{"output":{"schema":{}},`, 1)
				}
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script}, route)
				g := w.post(hi)
				if g.status != tt.status || !strings.HasPrefix(g.body, tt.begins) || tt.status == 200 && g.code() != tt.code {
					t.Errorf("%d %s, want %d %s… %s", g.status, g.body, tt.status, tt.begins, tt.code)
				}
				if tt.status != 200 {
					w.refused(g, tt.status, codeOf(tt.code))
				}
				broken := tt.code == "response_invalid"
				if reports := w.noted(&w.reports); (len(reports) == 1) != broken || (len(w.noted(&w.invalid)) == 1) != broken ||
					strings.Contains(strings.Join(reports, ""), "MARK") {
					t.Errorf("reports %q, metric %q", reports, w.invalid)
				}
				if _, told, _ := strings.Cut(g.body, "does not satisfy"); strings.Contains(told, "MARK") {
					t.Errorf("the values are told: %s", g.body)
				}
			})
		})
	}
}

// Nothing of a held answer is sent before all of it has come.
func TestHeldAnswersComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": func(c *asked) canned { return says(c, time.Second, "1", "2", "3") }},
			streaming(`"stream":"s","commit":"AfterValidation","schema":{"type":"integer"}`, `{"name":"s",`+chatOf("a")+`}`))
		w.post(hi)
		if first := w.outcomes[0].FirstContent; first != 2*time.Second {
			t.Errorf("the first content came after %s, want 2s", first)
		}
	})
}

// An answer can replace a stream until the stream has begun; after that, its failure stands.
func TestRespondingToAFailedStream(t *testing.T) {
	for name, tt := range map[string]struct {
		response string
		script   upstreamFunc
		status   int
		body     string
	}{
		"before content":      {`"stream":"s","format":"Text"`, fails(503), 299, `"upstream_unavailable"`},
		"after content":       {`"stream":"s","format":"Text"`, breaks, 200, "data: one \n\nevent: error\ndata: " + truncated + "\n\n"},
		"after what was held": {`"stream":"s","commit":"AfterValidation","schema":{"type":"string"}`, breaks, 299, `"upstream_truncated"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script}, streaming(tt.response,
					`{"name":"s","onError":{"respond":{"status":299,"body":"${error.code}"}},`+chatOf("a")+`}`))
				w.wants(w.post(hi), tt.status, tt.body)
				if len(w.noted(&w.reports)) > 0 {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// A route's timeout bounds the wait for content; a step's bounds the step.
func TestTimeoutsOfStreams(t *testing.T) {
	paced := func(c *asked) canned { return says(c, 2*time.Second, "1", "2", "3") }
	late := func(c *asked) canned { return says(c, 0, "1").in(4 * time.Second) }
	for name, tt := range map[string]struct {
		route, step string
		script      upstreamFunc
		status      int
		code        string
	}{
		"content in time":      {"3s", "", paced, 200, ""},
		"content too late":     {"3s", "", late, 504, "timeout"},
		"the step's, later":    {"30s", `"timeout":"3s",`, paced, 200, "timeout"},
		"the step's, at first": {"30s", `"timeout":"3s",`, late, 504, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script},
					`{"timeout":"`+tt.route+`",`+streaming(`"stream":"s"`, `{"name":"s",`+tt.step+chatOf("a")+`}`)[1:])
				g := w.post(hi)
				if g.status != tt.status || g.status == 200 && g.code() != tt.code {
					t.Errorf("%d %s, want %d %s", g.status, g.body, tt.status, tt.code)
				}
				if tt.status != 200 {
					w.refused(g, tt.status, codeOf(tt.code))
				}
				if want := map[bool]relay.Result{true: relay.StreamDone, false: relay.StreamFailed}[tt.code == ""]; w.outcomes[0].Result != want {
					t.Errorf("outcome %+v", w.outcomes[0])
				}
			})
		})
	}
}

// For a stream that failed, logs show how a call of an upstream failed, or the client's error.
func TestWhyStreamsFailed(t *testing.T) {
	agent := agentOf(`"maxTurns":1,"maxParallel":1`)
	unfit := `{"name":"x","set":{"value":"${int(steps.s.text)}"}}`
	for name, tt := range map[string]struct {
		route  string
		script upstreamFunc
		want   string
	}{
		"an upstream's failure, relayed": {streaming(`"stream":"s"`, `{"name":"s",`+chatOf("a")+`}`), fails(503), "upstream answered with status 503"},
		"an upstream's failure":          {streaming(`"events":{"progress":true}`, `{"name":"s",`+chatOf("a")+`}`), fails(503), "upstream answered with status 503"},
		"an answer that breaks off":      {streaming(`"stream":"s","format":"Text"`, `{"name":"s",`+chatOf("a")+`}`), breaks, "truncated: the stream ended without the mark of its end"},
		"a step's own": {
			streaming(`"events":{"progress":true}`, agent), asks("", toolCall{"1", "free", "{}"}), "step: turns_exceeded: The agent reached its turn limit without an answer.",
		},
		"an answer that a step cannot use": {
			streaming(`"events":{"progress":true}`, `{"name":"s",`+chatOf("a")+`}`, unfit), always(`MARK`), "step: upstream_error: This route cannot use an upstream's answer.",
		},
		"an expression that makes too much of an answer": {
			streaming(`"events":{"progress":true}`, `{"name":"s",`+chatOf("a")+`}`, `{"name":"x","set":{"value":"${steps.s.text}${steps.s.text}"}}`),
			always(strings.Repeat("x", 600<<10)), "budget: column 18: ${steps.s.text} gives more output than is allowed",
		},
		"a promise":  {streaming(`"stream":"s","schema":{"type":"integer"}`, `{"name":"s",`+chatOf("a")+`}`), always(`MARK`), "schema"},
		"the budget": {`{"budget":{"maxCalls":1,"maxBytes":9},` + streaming(`"events":{"progress":true}`, `{"name":"s",`+chatOf("a")+`}`)[1:], always(`MARK`), "budget: answer above 9 bytes: has more bytes than are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: agentTools}, map[string]upstreamFunc{"a": tt.script, "web": finder(0)}, tt.route)
				w.post(hi)
				if o := w.outcomes[0]; o.Result != relay.StreamFailed || o.Err.Error() != tt.want {
					t.Errorf("%s, %v, want %s", o.Result, o.Err, tt.want)
				}
			})
		})
	}
}
