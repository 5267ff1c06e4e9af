package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// eventsOf are the data of the events with a name, one after the other.
func eventsOf(stream, name string) string {
	var all strings.Builder
	for event := range strings.SplitSeq(stream, "\n\n") {
		if data, named := strings.CutPrefix(event, "event: "+name+"\ndata: "); named {
			all.WriteString(data)
		}
	}
	return all.String()
}

// Branches of a gather, and calls for the items of a forEach, may speak different protocols, no matter what their client
// speaks: neither their values nor the tokens that are sent depend on it.
func TestBranchesOfSeveralDialects(t *testing.T) {
	const all = `"${steps.g.b1.text}, ${steps.g.b2.text}"`
	const settled = `"${steps.g.b1.?text.orValue('')}, ${steps.g.b2.?text.orValue('')}"`
	vote := gatherOf("Vote", `"vote":{"key":"${result.text.startsWith('from') ? 'same' : 'other'}","ties":"Fail"}`, "a", "b")
	each := `{"name":"g","forEach":{"items":"${[1,2]}","maxItems":2,"maxParallel":2,"do":{"call":{"function":"pair"}}}}`
	pair := `{"name":"pair","output":"${steps.g.b1.text + '+' + steps.g.b2.text}","steps":[` + strings.ReplaceAll(gatherOf("All", "", "a", "b"), "${request.body.q}", "x") + `]}`
	tokens := `"events":{"steps":["g.b1","g.b2"]},`
	for name, tt := range map[string]struct{ step, events, body, want string }{
		"All":        {gatherOf("All", "", "a", "b"), tokens, all, `"from a, from b"`},
		"AllSettled": {gatherOf("AllSettled", "", "a", "b"), tokens, settled, `"from a, from b"`},
		"Vote":       {vote, `"events":{"progress":true},`, `"${steps.g.key} ${string(steps.g.votes.same)}"`, `"same 2"`},
		"forEach":    {each, `"events":{"progress":true},`, `"${steps.g[0]}, ${steps.g[1]}"`, `"from a+from b, from a+from b"`},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *way) {
				t.settings.functions = `[` + pair + `]`
				w := newWorld(t.T, t.settings, map[string]upstreamFunc{
					"a": func(c *asked) canned { return t.up.says(c, "from ", "a").in(time.Second) },
					"b": func(c *asked) canned { return t.client.says(c, "from ", "b") },
				}, `{"path":"/whole",`+answering(tt.body, tt.step)[1:], `{"path":"/streamed",`+streaming(tt.events+`"body":`+tt.body, tt.step)[1:])
				w.wants(w.do(t.Context(), "/whole", hi, nil), 200, tt.want)
				g := w.do(t.Context(), "/streamed", hi, nil)
				if got := eventsOf(g.body, "result"); got != tt.want || eventsOf(g.body, "done") == "" {
					t.Errorf("streamed: %q, want the result %s", g.body, tt.want)
				}
				for branch, want := range map[string]string{"g.b1": `{"text":"from "}{"text":"a"}`, "g.b2": `{"text":"from "}{"text":"b"}`} {
					if got := eventsOf(g.body, branch); tt.events == tokens && got != want {
						t.Errorf("%s: %q, want %q", branch, got, want)
					}
				}
			})
		})
	}
}

// The winner of a race is heard in the client's protocol, and the other is cancelled, no matter what it speaks.
func TestRacesOfSeveralDialects(t *testing.T) {
	const loses = 5 * time.Second
	for name, tt := range map[string]struct {
		a, b   time.Duration
		fails  bool // a does
		branch string
		loser  string
		cut    relay.FailureKind
	}{
		"the upstream of another protocol wins": {0, loses, false, "b1", "b", relay.FailedSuperseded},
		"the one of the client's wins":          {loses, 0, false, "b2", "a", relay.FailedSuperseded},
		"one fails":                             {0, time.Second, true, "b2", "a", relay.NoFailure},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *way) {
				step := gatherOf("First", "", "a", "b")
				w := newWorld(t.T, t.settings, map[string]upstreamFunc{
					"a": func(c *asked) canned {
						if tt.fails {
							return fails(503)(c)
						}
						return t.up.says(c, "from ", "a").in(tt.a)
					},
					"b": func(c *asked) canned { return t.client.says(c, "from ", "b").in(tt.b) },
				},
					`{"path":"/whole",`+answering(`"${steps.g.branch}: ${steps.g.text}"`, step)[1:],
					`{"path":"/streamed",`+streaming(`"stream":"g"`, step)[1:],
					`{"path":"/text",`+streaming(`"stream":"g","format":"Text"`, step)[1:])
				winner := map[string]string{"b1": "a", "b2": "b"}[tt.branch]
				want := "from " + winner
				w.wants(w.do(t.Context(), "/whole", hi, nil), 200, `"`+tt.branch+`: `+want+`"`)
				if done := heard(t.T, t.client.front, w.do(t.Context(), "/streamed", hi, nil).body); done.Text != want || done.FinishReason != "stop" {
					t.Errorf("%+v, want %s", done, want)
				}
				if g := w.do(t.Context(), "/text", hi, nil); !strings.HasPrefix(g.body, "data: from \n\ndata: "+winner+"\n\nevent: done\n") {
					t.Errorf("as text: %q", g.body)
				}
				for i, c := range w.client.of(tt.loser) {
					if c.cut != string(tt.cut) {
						t.Errorf("call %d of the loser was cut by %q, want %q", i, c.cut, tt.cut)
					}
				}
			})
		})
	}
}
