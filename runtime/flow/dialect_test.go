package flow

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/runtime/wire"
	"github.com/llmservice/llmservice/test/parley"
)

// tongue is a dialect, and how scripted upstreams answer in it.
type tongue struct {
	front llm.Front
	says  func(c *asked, pieces ...string) canned
	calls func(c *asked, text string, all ...toolCall) canned
	// cut sends a word and then breaks off; refuses answers with a refusal.
	cut, refuses func(c *asked) canned
	// turns is the number of turns that the model has had.
	turns func(c *asked) int
	// told are the results of tools, by their call.
	told func(c *asked) []string
}

var tongues = map[string]tongue{
	"openai": {
		front: openai.Dialect{},
		says:  func(c *asked, pieces ...string) canned { return says(c, 0, pieces...) },
		calls: calls, cut: breaks,
		refuses: func(c *asked) canned {
			chunk := part{text: `data: {"choices":[{"index":0,"delta":{"refusal":"never"}}]}` + "\n\n"}
			return streams(c, []part{chunk}).ends(c, "content_filter")
		},
		turns: func(c *asked) int {
			n := 0
			for _, m := range c.body.Messages {
				if m["role"] == "assistant" {
					n++
				}
			}
			return n
		},
		told: toldOf,
	},
	"parley": {
		front: parley.Dialect{},
		says: func(c *asked, pieces ...string) canned {
			events := make([]string, len(pieces))
			for i, p := range pieces {
				events[i] = "event: say\ndata: {\"bit\":" + quoted(p) + "}\n\n"
			}
			return parleys(c, `{"who":"bot","say":`+quoted(strings.Join(pieces, ""))+`}`, "enough", events...)
		},
		calls: func(c *asked, text string, all ...toolCall) canned {
			var events, list []string
			if text != "" {
				events = append(events, "event: say\ndata: {\"bit\":"+quoted(text)+"}\n\n")
			}
			for i, t := range all {
				list = append(list, fmt.Sprintf(`{"ref":%q,"gear":%q,"with":%s}`, t.id, t.name, t.arguments))
				events = append(events, fmt.Sprintf("event: ask\ndata: {\"at\":%d,\"ref\":%q,\"gear\":%q,\"bit\":%s}\n\n",
					i, t.id, t.name, quoted(t.arguments)))
			}
			return parleys(c, `{"who":"bot","say":`+quoted(text)+`,"asks":[`+strings.Join(list, ",")+`]}`, "gear", events...)
		},
		cut: func(*asked) canned {
			return bodyOf(200, "text/event-stream", "event: hello\ndata: {}\n\nevent: say\ndata: {\"bit\":\"one \"}\n\n")
		},
		refuses: func(c *asked) canned {
			return parleys(c, "", "hushed", "event: declines\ndata: {\"bit\":\"never\"}\n\n")
		},
		turns: func(c *asked) int {
			n := 0
			for _, turn := range talkOf(c).Turns {
				if turn.Who == "bot" {
					n++
				}
			}
			return n
		},
		told: func(c *asked) []string {
			var told []string
			for _, turn := range talkOf(c).Turns {
				if turn.Who == "gear" {
					told = append(told, turn.Re+": "+turn.Say)
				}
			}
			return told
		},
	},
}

// parleys answers whole, or with a stream of these events.
func parleys(c *asked, bot, ended string, events ...string) canned {
	end := `"ended":"` + ended + `","spent":{"in":3,"out":4}}`
	if !talkOf(c).Live {
		return jsonOf(200, `{"brain":"model-a","bot":`+bot+`,`+end)
	}
	a := canned{header: http.Header{"Content-Type": {"text/event-stream"}}, parts: []part{{text: "event: hello\ndata: {\"brain\":\"model-a\"}\n\n"}}}
	for _, e := range append(events, "event: bye\ndata: {"+end+"\n\n") {
		a.parts = append(a.parts, part{text: e})
	}
	return a
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded)
}

// talkOf is the request to an upstream that speaks parley; nothing if it came in another protocol.
func talkOf(c *asked) parley.Talk {
	var t parley.Talk
	if c.Header.Get(parley.EditionName) == parley.Edition && strings.HasSuffix(c.URL, parley.ChatPath) {
		_ = json.Unmarshal(c.Body.Joined(), &t)
	}
	return t
}

// way is a pair of a client's dialect and that of upstream a; b speaks the client's.
type way struct {
	*testing.T

	settings   settings
	client, up tongue
}

// eachWay tests every pair.
func eachWay(t *testing.T, test func(t *way)) {
	t.Helper()
	for client, heard := range tongues {
		for up, spoken := range tongues {
			t.Run(client+" to "+up, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := settings{front: heard.front, dialects: map[string]llm.Dialect{"a": spoken.front, "b": heard.front}}
					s.functions = agentTools
					test(&way{T: t, settings: s, client: heard, up: spoken})
				})
			})
		}
	}
}

// heard reads a stream as a client of a dialect does.
func heard(t *testing.T, d llm.Dialect, stream string) *llm.Completion {
	t.Helper()
	parser := wire.NewParser(1 << 20)
	if err := parser.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	collector := llm.NewCollector(func(int) error { return nil })
	tap := llm.NewTap(d, llm.TapOptions{Collector: collector})
	last := relay.Preamble
	for f, ok := parser.Next(); ok; f, ok = parser.Next() {
		if last == relay.Done {
			t.Errorf("%q follows the end", f.Raw)
		}
		_, last = tap.Frame(nil, &f)
	}
	if last != relay.Done {
		t.Errorf("the stream ends with %v:\n%s", last, stream)
	}
	return collector.Completion()
}

const chatStep = `{"name":"s",` + `"chat":{"upstream":"a","messages":[{"role":"system","content":"be brief"},{"history":"${request.body.h}"},` +
	`{"role":"user","content":"${request.body.q}"}]}}`

// A chat's value in templates does not depend on the dialect of its upstream.
func TestChatsInEachDialect(t *testing.T) {
	const body = `{"text":"${steps.s.text}","message":"${steps.s.message}","usage":"${steps.s.usage}","why":"${steps.s.finishReason}"}`
	const asking = `{"q":"hi","h":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"found"}]}`
	eachWay(t, func(t *way) {
		w := newWorld(t.T, t.settings, map[string]upstreamFunc{"a": func(c *asked) canned { return t.up.says(c, "one ", "two") }}, answering(body, chatStep))
		w.wants(w.post(asking), 200, `{"text":"one two","message":{"content":"one two","role":"assistant"},"usage":`+sortedUsage+`,"why":"stop"}`)
		c := w.client.of("a")[0]
		if t.up.front != (parley.Dialect{}) {
			return
		}
		want := parley.Talk{Brain: "model-a", Turns: []parley.Turn{
			{Who: "guide", Say: "be brief"},
			{Who: "human", Say: "ab"},
			{Who: "bot", Asks: []parley.Ask{{Ref: "1", Gear: "f", With: []byte(`{"x":1}`)}}},
			{Who: "gear", Say: "found", Re: "1"},
			{Who: "human", Say: "hi"},
		}}
		if diff := cmp.Diff(want, talkOf(c), cmpopts.EquateEmpty()); diff != "" || c.Header.Get("Accept") != "application/json" {
			t.Errorf("%v (-want +got):\n%s", c.Header, diff)
		}
	})
}

// A stream comes in the dialect of its client: byte for byte if the upstream speaks it, and otherwise written anew. It makes no
// difference whether the step is the only one.
func TestStreamsInEachDialect(t *testing.T) {
	for name, step := range map[string]string{
		"relayed":  `{"name":"s",` + chatOf("a") + `}`,
		"produced": `{"name":"s","timeout":"60s",` + chatOf("a") + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *way) {
				w := newWorld(t.T, t.settings, map[string]upstreamFunc{"a": func(c *asked) canned { return t.up.says(c, "one ", "two") }}, streaming(`"stream":"s"`, step))
				g := w.post(hi)
				done := heard(t.T, t.client.front, g.body)
				if done.Text != "one two" || done.FinishReason != "stop" {
					t.Errorf("heard %+v of\n%s", done, g.body)
				}
				if t.client.front != t.up.front {
					return
				}
				var sent strings.Builder
				for _, p := range t.up.says(w.client.of("a")[0], "one ", "two").parts {
					sent.WriteString(p.text)
				}
				// The gateway has asked for the usage, and the route has not.
				want := regexp.MustCompile(`data: .*"choices":\[\],"usage":.*\n\n`).ReplaceAllString(sent.String(), "")
				if diff := cmp.Diff(want, g.body); diff != "" {
					t.Errorf("(-sent +passed):\n%s", diff)
				}
			})
		})
	}
}

// The formats that belong to no protocol have the same bytes, no matter what an upstream speaks.
func TestFormatsOfEachDialect(t *testing.T) {
	for format, want := range map[string]string{
		"Text": "data: one \n\ndata: two\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + sortedUsage + "}\n\n",
		"JSON": "event: delta\ndata: {\"text\":\"one \"}\n\nevent: delta\ndata: {\"text\":\"two\"}\n\n" +
			"event: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + sortedUsage + "}\n\n",
	} {
		eachWay(t, func(t *way) {
			w := newWorld(t.T, t.settings, map[string]upstreamFunc{"a": func(c *asked) canned { return t.up.says(c, "one ", "two") }},
				streaming(`"stream":"s","format":"`+format+`"`, `{"name":"s",`+chatOf("a")+`}`))
			w.wants(w.post(hi), 200, want)
		})
	}
}

// Refusals and tool calls are translated for the client, too, and so are errors.
func TestRestOfStreamsInEachDialect(t *testing.T) {
	for name, step := range map[string]string{
		"relayed":  `{"name":"s",` + chatOf("a") + `}`,
		"produced": `{"name":"s","timeout":"60s",` + chatOf("a") + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *way) {
				all := []toolCall{{"1", "look", `{"q":"a"}`}, {"2", "free", `{}`}}
				answers := []func(c *asked) canned{func(c *asked) canned { return t.up.calls(c, "so ", all...) }, t.up.refuses, t.up.cut}
				w := newWorld(t.T, t.settings, map[string]upstreamFunc{"a": func(c *asked) canned { return answers[c.n-1](c) }}, streaming(`"stream":"s"`, step))
				called := heard(t.T, t.client.front, w.post(hi).body)
				want := []llm.ToolCall{{ID: "1", Name: "look", Arguments: `{"q":"a"}`}, {ID: "2", Name: "free", Arguments: `{}`}}
				if diff := cmp.Diff(want, called.ToolCalls); diff != "" || called.Text != "so " || called.FinishReason != "tool_calls" {
					t.Errorf("%+v (-want +got):\n%s", called, diff)
				}
				if refused := heard(t.T, t.client.front, w.post(hi).body); refused.Refusal != "never" || refused.FinishReason != "content_filter" {
					t.Errorf("%+v", refused)
				}
				broken := string(t.client.front.AppendError(nil, upstream.Problem(relay.Failure{Kind: relay.FailedTruncated})))
				if g := w.post(hi); g.status != 200 || !strings.Contains(g.body, "one ") || !strings.HasSuffix(g.body, broken) {
					t.Errorf("%d %q, want it to end with %q", g.status, g.body, broken)
				}
			})
		})
	}
}

// Agents call tools in the dialect of their upstream, whole and streamed.
func TestAgentsInEachDialect(t *testing.T) {
	eachWay(t, func(t *way) {
		script := map[string]upstreamFunc{"web": finder(0), "a": func(c *asked) canned {
			if t.up.turns(c) == 0 {
				return t.up.calls(c, "hm ", toolCall{"1", "look", `{"q":"a"}`}, toolCall{"2", "free", `{}`})
			}
			return t.up.says(c, "do", "ne")
		}}
		w := newWorld(t.T, t.settings, script,
			`{"path":"/whole",`+answering(`{"text":"${steps.s.text}","turns":"${steps.s.turns}","usage":"${steps.s.usage}"}`, agentOf(`"maxTurns":3,"maxParallel":2`))[1:],
			`{"path":"/streamed",`+streaming(`"stream":"s"`, agentOf(`"maxTurns":3,"maxParallel":2`))[1:])
		w.wants(w.do(t.Context(), "/whole", hi, nil), 200,
			`{"text":"done","turns":2,"usage":{"completion_tokens":8,"prompt_tokens":6,"total_tokens":14}}`)
		done := heard(t.T, t.client.front, w.do(t.Context(), "/streamed", hi, nil).body)
		if done.Text != "hm done" || done.FinishReason != "stop" || done.Tokens.Total != 14 || done.ToolCalls != nil {
			t.Errorf("%+v", done)
		}
		for _, c := range []int{1, 3} {
			if diff := cmp.Diff([]string{`1: {"found":{"path":"/a"},"n":3}`, "2: sunny"}, t.up.told(w.client.of("a")[c])); diff != "" {
				t.Errorf("call %d (-want +got):\n%s", c, diff)
			}
		}
	})
}

// A fallback may change protocols, in either direction; so may a race. After content, no other branch takes over.
func TestGathersOfSeveralDialects(t *testing.T) {
	eachWay(t, func(t *way) {
		answers := []func(c *asked) canned{fails(503), fails(503), func(c *asked) canned { return t.up.says(c, "first") }, t.up.cut}
		script := map[string]upstreamFunc{
			"a": func(c *asked) canned { return answers[c.n-1](c) },
			"b": func(c *asked) canned { return t.client.says(c, "sec", "ond") },
		}
		step := gatherOf("Fallback", "", "a", "b")
		w := newWorld(t.T, t.settings, script,
			`{"path":"/whole",`+answering(`"${steps.g.branch} ${steps.g.text}"`, step)[1:],
			`{"path":"/streamed",`+streaming(`"stream":"g"`, step)[1:])
		w.wants(w.do(t.Context(), "/whole", hi, nil), 200, `"b2 second"`)
		for _, want := range []string{"second", "first"} {
			if done := heard(t.T, t.client.front, w.do(t.Context(), "/streamed", hi, nil).body); done.Text != want || done.FinishReason != "stop" {
				t.Errorf("%+v, want %s", done, want)
			}
		}
		broken := string(t.client.front.AppendError(nil, upstream.Problem(relay.Failure{Kind: relay.FailedTruncated})))
		if g := w.do(t.Context(), "/streamed", hi, nil); !strings.HasSuffix(g.body, broken) || len(w.client.of("b")) != 2 {
			t.Errorf("%q, want it to end with %q; %d calls of the other", g.body, broken, len(w.client.of("b")))
		}
	})
}

// The rest of what a dialect translates: outputs with their repairs, parameters, token limits, and vectors.
func TestOtherStepsInAnotherDialect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings{dialects: map[string]llm.Dialect{"a": parley.Dialect{}, "b": parley.Dialect{}}}
		w := newWorld(t, s, map[string]upstreamFunc{
			"a": func(c *asked) canned {
				return parleys(c, `{"who":"bot","say":"{\"n\":`+fmt.Sprint(c.n-1)+`}"}`, "enough")
			},
			"b": func(*asked) canned { return jsonOf(200, `{"spots":[[1,2]],"spent":{"in":5,"out":0}}`) },
		}, `{"budget":{"maxCalls":9,"maxTokens":500,"maxBytes":100000},`+answering(`{"n":"${steps.s.output.n}","v":"${steps.v.vectors[0]}","u":"${steps.v.usage.total_tokens}"}`,
			`{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"parameters":{"cap":50,"mood":"glad"},`+
				`"output":{"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":1}}},"repairAttempts":1}}}`,
			`{"name":"v","embeddings":{"upstream":"b","input":"x"}}`)[1:])
		w.wants(w.post(hi), 200, `{"n":1,"v":[1,2],"u":5}`)
		all := w.client.of("a")
		if len(all) != 2 {
			t.Fatalf("%d calls", len(all))
		}
		talk := talkOf(all[1])
		if talk.Cap != 50 || talk.MoreWays["mood"] != "glad" || !strings.Contains(string(talk.Shape), `"minimum":1`) || len(talk.Turns) != 3 {
			t.Errorf("%+v", talk)
		}
		if v := w.client.of("b")[0]; !strings.HasSuffix(v.URL, parley.VectorsPath) || string(v.Body.Joined()) != `{"brain":"model-b","texts":["x"]}` {
			t.Errorf("%s %s", v.URL, v.Body)
		}
	})
}
