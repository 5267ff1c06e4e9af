package flow

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

const ms = time.Millisecond

// chatOf is a chat step or branch, without its name.
func chatOf(upstream string) string {
	return `"chat":{"upstream":"` + upstream + `","messages":[{"role":"user","content":"${request.body.q}"}]}`
}

func branchesOf(upstreams ...string) string {
	all := make([]string, len(upstreams))
	for i, u := range upstreams {
		all[i] = fmt.Sprintf(`{"name":"b%d",%s}`, i+1, chatOf(u))
	}
	return strings.Join(all, ",")
}

func gatherOf(strategy, settings string, upstreams ...string) string {
	if settings != "" {
		settings += ","
	}
	return `{"name":"g","gather":{"strategy":"` + strategy + `",` + settings + `"branches":[` + branchesOf(upstreams...) + `]}}`
}

func answering(body string, steps ...string) string {
	return `{"steps":[` + strings.Join(steps, ",") + `],"response":{"body":` + body + `}}`
}

func streaming(response string, steps ...string) string {
	return `{"steps":[` + strings.Join(steps, ",") + `],"response":{` + response + `}}`
}

const hi = `{"q":"hi"}`

func TestThreeCallsTakeAsLongAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{
			"a": slow(300*ms, "one"), "b": slow(300*ms, "two"), "c": slow(300*ms, "three"),
		}, answering(`"${steps.g.b1.text} ${steps.g.b2.text} ${steps.g.b3.text}"`, gatherOf("All", "", "a", "b", "c")))
		g := w.post(hi)
		w.wants(g, 200, `"one two three"`)
		if g.after != 300*ms {
			t.Errorf("took %s, want 300ms", g.after)
		}
	})
}

func TestAllFailsAtOnceAndCancelsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := func(c *asked) canned { return fails(500)(c).in(100 * ms) }
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": hangs, "b": failing, "c": slow(50*ms, "x")},
			answering(`"${steps.g.b1.text}"`, gatherOf("All", "", "a", "b", "c")))
		g := w.post(hi)
		w.refused(g, 502, "upstream_error")
		if g.after != 100*ms {
			t.Errorf("took %s, want 100ms", g.after)
		}
		wantCalls(t, w, "a superseded 100ms", "b 100ms", "c 50ms")
	})
}

// wantCalls compares the calls, each as UPSTREAM [CUT] END.
func wantCalls(t *testing.T, w *world, want ...string) {
	t.Helper()
	var have []string
	for _, name := range []string{"a", "b", "c", "web"} {
		for _, c := range w.client.of(name) {
			text := name
			if c.cut != "" {
				text += " " + c.cut
			}
			if !c.over {
				text += " open"
			}
			have = append(have, text+" "+c.ended.String())
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAVoteStopsWhenItIsDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": slow(100*ms, "yes"), "b": hangs, "c": slow(200*ms, "yes")},
			answering(`{"key":"${steps.g.key}","branch":"${steps.g.branch}","votes":"${steps.g.votes}","text":"${steps.g.value.text}"}`,
				gatherOf("Vote", `"vote":{"key":"${result.text}","ties":"Fail"}`, "a", "b", "c")))
		g := w.post(hi)
		w.wants(g, 200, `{"key":"yes","branch":"b1","votes":{"yes":2},"text":"yes"}`)
		if g.after != 200*ms {
			t.Errorf("took %s, want 200ms", g.after)
		}
		wantCalls(t, w, "a 100ms", "b superseded 200ms", "c 200ms")
	})
}

func TestVotesWithoutAWinner(t *testing.T) {
	for name, tt := range map[string]struct {
		ties   string
		script map[string]upstreamFunc
		branch string
		status int
		want   string
	}{
		"all disagree":              {"Fail", map[string]upstreamFunc{"a": always("x"), "b": always("y"), "c": always("z")}, "", 502, "vote_undecided"},
		"all disagree, most votes":  {"MostVotes", map[string]upstreamFunc{"a": always("x"), "b": always("y"), "c": always("z")}, "", 200, `"x"`},
		"those missing have failed": {"Fail", map[string]upstreamFunc{"a": always("x"), "b": fails(503), "c": fails(503)}, "", 503, "upstream_unavailable"},
		"those missing were not asked": {
			"Fail",
			map[string]upstreamFunc{"a": always("x"), "b": always("x"), "c": always("x")},
			`"when":"${false}",`, 200, `"none"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				step := gatherOf("Vote", `"vote":{"key":"${result.text}","ties":"`+tt.ties+`"}`, "a", "b", "c")
				step = strings.ReplaceAll(step, `{"name":"b`, `{`+tt.branch+`"name":"b`)
				read := `"${steps.g.key}"`
				if tt.branch != "" {
					read = `"${steps.g.key.orValue('none')}"`
				}
				w := newWorld(t, settings{}, tt.script, answering(read, step))
				g := w.post(hi)
				if tt.status == 200 {
					w.wants(g, 200, tt.want)
				} else if w.refused(g, tt.status, codeOf(tt.want)); len(w.noted(&w.reports)) > 0 {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// If so few vote that none can win, whatever they answer, there is no value; if enough do, they have disagreed.
func TestAVoteOfTooFew(t *testing.T) {
	vote := func(ties string) string {
		return `{"name":"g","gather":{"strategy":"Vote","vote":{"key":"${result.text}","ties":"` + ties + `"},"branches":[{"name":"x",` + chatOf("a") +
			`},{"name":"y","when":"${request.body.q == 'both'}",` + chatOf("b") + `},{"name":"z","when":"${false}",` + chatOf("b") + `}]}}`
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x"), "b": always("y")},
			answering(`"${steps.g.key.orValue('none')}"`, vote("Fail")))
		w.wants(w.post(hi), 200, `"none"`)
		w.refused(w.post(`{"q":"both"}`), 502, "vote_undecided")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x"), "b": always("y")}, answering(`"${steps.g.key}"`, vote("MostVotes")))
		w.wants(w.post(hi), 200, `"x"`)
	})
}

func TestAHedgeStartsWhenItIsDue(t *testing.T) {
	for name, tt := range map[string]struct {
		script map[string]upstreamFunc
		want   string
		after  time.Duration
		calls  []string
	}{
		"the first is in time": {
			map[string]upstreamFunc{"a": slow(200*ms, "a"), "b": always("b")}, `"b1 a"`, 200 * ms, []string{"a 200ms"},
		},
		"the second overtakes": {
			map[string]upstreamFunc{"a": hangs, "b": slow(100*ms, "b")}, `"b2 b"`, 400 * ms, []string{"a superseded 400ms", "b 400ms"},
		},
		"the first still wins": {
			map[string]upstreamFunc{"a": slow(350*ms, "a"), "b": slow(100*ms, "b")}, `"b1 a"`, 350 * ms, []string{"a 350ms", "b superseded 350ms"},
		},
		"a failure starts it at once": {
			map[string]upstreamFunc{"a": fails(500), "b": slow(100*ms, "b")}, `"b2 b"`, 100 * ms, []string{"a 0s", "b 100ms"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, tt.script, answering(`"${steps.g.branch} ${steps.g.value.text}"`,
					gatherOf("First", `"first":{"hedgeDelay":"300ms"}`, "a", "b")))
				g := w.post(hi)
				w.wants(g, 200, tt.want)
				if g.after != tt.after {
					t.Errorf("took %s, want %s", g.after, tt.after)
				}
				wantCalls(t, w, tt.calls...)
			})
		})
	}
}

// A streamed race is won with the first content, not by beginning or ending first.
func TestTheFirstContentWinsAStreamedRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{
			"a": func(c *asked) canned { // its role comes at once, its content late
				return streams(c, []part{{after: 500 * ms, text: chunkOf(c, "late")}}).ends(c, "stop")
			},
			"b": func(c *asked) canned { return says(c, 400*ms, "early ", "and slow").in(200 * ms) },
		}, streaming(`"stream":"g","format":"Text"`, gatherOf("First", "", "a", "b")))
		g := w.post(hi)
		w.wants(g, 200, "data: early \n\ndata: and slow\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":"+sortedUsage+"}\n\n")
		wantCalls(t, w, "a superseded 200ms", "b 600ms")
	})
}

// sortedUsage is usageJSON as the gateway writes it again.
const sortedUsage = `{"completion_tokens":4,"prompt_tokens":3,"total_tokens":7}`

// What a loser has read already is not sent, no matter how close it came.
func TestContentOfLosersIsNotSent(t *testing.T) {
	for _, strategy := range []string{`"First",`, `"Fallback","fallback":{"firstToken":"100ms"},`} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, map[string]upstreamFunc{
				"a": func(c *asked) canned {
					return streams(c, []part{{after: 300 * ms, text: chunkOf(c, "MARK"), deaf: true}}).ends(c, "stop")
				},
				"b": func(c *asked) canned { return says(c, 400*ms, "one ", "two").in(50 * ms) },
			}, streaming(`"stream":"g","format":"Text"`, `{"name":"g","gather":{"strategy":`+strategy+`"branches":[`+branchesOf("a", "b")+`]}}`))
			if g := w.post(hi); !strings.HasPrefix(g.body, "data: one \n\ndata: two\n\nevent: done") {
				t.Errorf("%s: %s", strategy, g.body)
			}
		})
	}
}

func TestFallback(t *testing.T) {
	late := func(c *asked) canned { return says(c, 0, "late").in(3 * time.Second) }
	broken := func(c *asked) canned { return streams(c, nil) } // ends before any content
	for name, tt := range map[string]struct {
		script map[string]upstreamFunc
		whole  got
		stream got
	}{
		"the first is enough": {
			map[string]upstreamFunc{"a": always("a"), "b": always("b")},
			got{status: 200, body: `"b1 a"`},
			got{status: 200, body: "data: a\n\n"},
		},
		"on an error": {
			map[string]upstreamFunc{"a": fails(500), "b": always("b")},
			got{status: 200, body: `"b2 b"`},
			got{status: 200, body: "data: b\n\n"},
		},
		"on a timeout": {
			map[string]upstreamFunc{"a": late, "b": always("b")},
			got{status: 200, body: `"b2 b"`, after: 2 * time.Second},
			got{status: 200, body: "data: b\n\n", after: 2 * time.Second},
		},
		"a stream that says nothing": {
			map[string]upstreamFunc{"a": broken, "b": always("b")},
			got{status: 200, body: `"b2 b"`},
			got{status: 200, body: "data: b\n\n"},
		},
		"the last has its time": {
			map[string]upstreamFunc{"a": fails(500), "b": late},
			got{status: 200, body: `"b2 late"`, after: 3 * time.Second},
			got{status: 200, body: "data: late\n\n", after: 3 * time.Second},
		},
		"none": {
			map[string]upstreamFunc{"a": fails(500), "b": fails(503)},
			got{status: 502},
			got{status: 502},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				step := gatherOf("Fallback", `"fallback":{"firstToken":"2s"}`, "a", "b")
				w := newWorld(t, settings{}, tt.script,
					`{"path":"/whole",`+answering(`"${steps.g.branch} ${steps.g.value.text}"`, step)[1:],
					`{"path":"/stream",`+streaming(`"stream":"g","format":"Text"`, step)[1:])
				for path, want := range map[string]got{"/whole": tt.whole, "/stream": tt.stream} {
					g := w.do(t.Context(), path, hi, nil)
					if g.status != want.status || !strings.HasPrefix(g.body, want.body) || tt.whole.status == 200 && g.after != want.after {
						t.Errorf("%s: %d %s after %s, want %d %s after %s", path, g.status, g.body, g.after, want.status, want.body, want.after)
					}
				}
			})
		})
	}
}

// A branch that is left out cannot take over; another one after it can.
func TestFallbackHandsOverToWhoRuns(t *testing.T) {
	late := func(c *asked) canned { return says(c, 0, "late").in(5 * time.Second) }
	for name, tt := range map[string]struct {
		whens []string
		want  string
	}{
		"all others are left out": {[]string{"${true}", "${false}", "${request.body.q == ''}"}, `"b1 late"`},
		"the last one runs":       {[]string{"${true}", "${false}", "${request.body.q != ''}"}, `"b3 quick"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			var branches []string
			for i, upstream := range []string{"a", "b", "c"} {
				branches = append(branches, fmt.Sprintf(`{"name":"b%d","when":%q,%s}`, i+1, tt.whens[i], chatOf(upstream)))
			}
			w := newWorld(t, settings{}, map[string]upstreamFunc{"a": late, "b": always("b"), "c": always("quick")}, answering(
				`"${steps.?g.?branch.orValue('none')} ${steps.?g.?value.?text.orValue('')}"`,
				`{"name":"g","gather":{"strategy":"Fallback","fallback":{"firstToken":"1s"},"branches":[`+strings.Join(branches, ",")+`]}}`))
			if g := w.post(hi); g.status != 200 || g.body != tt.want {
				t.Errorf("%s: %d %s, want %s; reports %q", name, g.status, g.body, tt.want, w.noted(&w.reports))
			}
		})
	}
}

// Once content was sent, no other branch takes over, and an error ends it.
func TestNothingTakesOverAfterContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{
			"a": func(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "half ")}}) }, "b": always("b"),
		}, streaming(`"stream":"g","format":"Text"`, gatherOf("Fallback", "", "a", "b")))
		g := w.post(hi)
		if !strings.HasPrefix(g.body, "data: half \n\nevent: error\ndata: {") || g.code() != "upstream_truncated" {
			t.Errorf("%d %s", g.status, g.body)
		}
		if n := len(w.client.of("b")); n > 0 {
			t.Errorf("the other was asked %d times", n)
		}
	})
}

// The innermost of all deadlines ends a call, and the error names it.
func TestDeadlinesShrinkDownTheTree(t *testing.T) {
	for name, tt := range map[string]struct {
		route, step, branch, function, inner, total int // seconds
		after                                       int
		code                                        string
	}{
		"the route's":      {1, 2, 3, 4, 5, 6, 1, "timeout"},
		"the step's":       {2, 1, 3, 4, 5, 6, 1, "timeout"},
		"the branch's":     {3, 2, 1, 4, 5, 6, 1, "timeout"},
		"the function's":   {4, 3, 2, 1, 5, 6, 1, "timeout"},
		"the inner step's": {5, 4, 3, 2, 1, 6, 1, "timeout"},
		"the upstream's":   {6, 5, 4, 3, 2, 1, 1, "upstream_timeout"},
		"inherited":        {1, 9, 9, 9, 9, 9, 1, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings{
					timeouts: config.Timeouts{
						Connect: config.Duration(time.Second), FirstToken: config.Duration(time.Minute), Idle: config.Duration(time.Minute),
						Total: config.Duration(time.Duration(tt.total) * time.Second),
					},
					functions: fmt.Sprintf(`[{"name":"f","timeout":"%ds","output":"${steps.x.text}","steps":[
						{"name":"x","timeout":"%ds","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]}}]}]`, tt.function, tt.inner),
				}
				w := newWorld(t, s, map[string]upstreamFunc{"a": hangs, "b": hangs}, fmt.Sprintf(`{"timeout":"%ds",`, tt.route)+
					answering(`"${steps.g.one}"`, fmt.Sprintf(`{"name":"g","timeout":"%ds","gather":{"strategy":"All","branches":[
					{"name":"one","timeout":"%ds","call":{"function":"f"}},{"name":"two",%s}]}}`, tt.step, tt.branch, chatOf("a")))[1:])
				g := w.post(hi)
				w.refused(g, 504, codeOf(tt.code))
				if g.after != time.Duration(tt.after)*time.Second {
					t.Errorf("after %s, want %ds", g.after, tt.after)
				}
				if w.client.open != 0 || len(w.noted(&w.reports)) > 0 {
					t.Errorf("%d calls are open; reports %q", w.client.open, w.reports)
				}
			})
		})
	}
}

// If a client leaves, everything that is done for it ends at once, and nobody is at fault.
func TestAClientThatLeavesEndsEveryCall(t *testing.T) {
	functions := `[{"name":"look","description":"looks","output":"${steps.x.body}","steps":[{"name":"x","http":{"upstream":"web","method":"GET","path":"/x"}}]}]`
	agent := `{"name":"s","agent":{"upstream":"c","messages":[{"role":"user","content":"x"}],"tools":["look"],"maxTurns":4,"maxParallel":4}}`
	each := `{"name":"s","forEach":{"items":"${[1,2,3]}","maxItems":8,"maxParallel":2,"do":{"call":{"function":"look"}}}}`
	twice := func(c *asked) canned {
		return calls(c, "", toolCall{"1", "look", "{}"}, toolCall{"2", "look", "{}"})
	}
	for name, tt := range map[string]struct {
		route string
		open  int
	}{
		"whole":            {answering(`"${steps.s.text}"`, `{"name":"s",`+chatOf("a")+`}`), 1},
		"relayed":          {streaming(`"stream":"s"`, `{"name":"s",`+chatOf("a")+`}`), 1},
		"streamed":         {streaming(`"stream":"s","format":"Text"`, `{"name":"s",`+chatOf("b")+`}`), 1},
		"gathered":         {answering(`"${steps.g.b1.text}"`, gatherOf("All", "", "a", "b")), 2},
		"a streamed race":  {streaming(`"stream":"g"`, gatherOf("First", "", "a", "a")), 2},
		"a vote":           {answering(`"${steps.g.key}"`, gatherOf("Vote", `"vote":{"key":"${result.text}","ties":"Fail"}`, "a", "b")), 2},
		"an agent's tools": {answering(`"${steps.s.text}"`, agent), 2},
		"streamed agent":   {streaming(`"stream":"s","format":"JSON"`, agent), 2},
		"for each":         {answering(`"${steps.s}"`, each), 2},
		"named events":     {streaming(`"events":{"steps":["g.b1","g.b2"],"progress":true}`, gatherOf("AllSettled", "", "a", "b")), 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: functions}, map[string]upstreamFunc{
					"a": hangs, "web": hangs, "c": twice,
					"b": func(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "begun")}}).hangs() },
				}, tt.route)
				ctx, leave := context.WithCancel(t.Context())
				ended := make(chan got)
				go func() { ended <- w.do(ctx, "/", hi, nil) }()
				time.Sleep(time.Second)
				synctest.Wait()
				if w.client.open != tt.open {
					t.Fatalf("%d calls are open, want %d", w.client.open, tt.open)
				}
				leave()
				<-ended
				synctest.Wait()
				for _, c := range w.client.of("") {
					if !c.over || c.ended > time.Second {
						t.Errorf("the call of %s ended after %s (%v)", c.upstream, c.ended, c.over)
					}
				}
				if len(w.noted(&w.reports)) > 0 {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// Everything that is still open when a drain's time is over ends at once, with an error that says so.
func TestADrainEndsWhatIsOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		route  string
		status int
	}{
		"whole":                   {answering(`1`, gatherOf("All", "", "a", "b")), 503},
		"an agent":                {answering(`1`, `{"name":"s","agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["f"],"maxTurns":2,"maxParallel":1}}`), 503},
		"a stream before content": {streaming(`"stream":"s","format":"Text"`, `{"name":"s",`+chatOf("a")+`}`), 503},
		"a stream":                {streaming(`"stream":"s","format":"Text"`, `{"name":"s",`+chatOf("b")+`}`), 200},
		"named events":            {streaming(`"events":{"steps":["g.b2"]}`, gatherOf("All", "", "a", "b")), 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: `[{"name":"f","output":1,"steps":[{"name":"x","set":{"value":1}}]}]`}, map[string]upstreamFunc{
					"a": hangs, "b": func(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "begun")}}).hangs() },
				}, tt.route)
				ended := make(chan got)
				go func() { ended <- w.do(t.Context(), "/", hi, nil) }()
				time.Sleep(time.Second)
				w.drain()
				g := <-ended
				if g.status != tt.status || g.after != 2*time.Second || !strings.Contains(g.body, messageOf("draining")) {
					t.Errorf("%d %s (%v) after %s", g.status, g.body, g.err, g.after)
				}
				for _, c := range w.client.of("") {
					if c.ended != 2*time.Second || c.cut == "" {
						t.Errorf("the call of %s ended after %s (%s)", c.upstream, c.ended, c.cut)
					}
				}
				if len(w.noted(&w.reports)) > 0 {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// The wait for a worker is part of the time of the work that waits, also in a function's output, and its end is not a fault.
func TestTheWaitForAWorkerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *world
		release := func() {}
		big := func(c *asked) canned {
			var err error
			if release, err = w.admission.Heavy(t.Context(), 1<<20); err != nil {
				t.Error(err)
			}
			return says(c, 0, strings.Repeat("x", 70<<10))
		}
		functions := `[{"name":"f","timeout":"1s","output":"${steps.x.text}","steps":[{"name":"x","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]}}]}]`
		w = newWorld(t, settings{functions: functions}, map[string]upstreamFunc{"a": big}, answering(`1`, `{"name":"s","call":{"function":"f"}}`))
		g := w.post(hi)
		release()
		w.refused(g, 504, "timeout")
		if g.after != time.Second || len(w.noted(&w.reports)) > 0 {
			t.Errorf("after %s, reports %q", g.after, w.reports)
		}
	})
}

// Waits before a request's steps begin are part of its route's time.
func TestTheWaitForTheInputCounts(t *testing.T) {
	step := `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]}}`
	for name, route := range map[string]string{
		"whole":    answering(`1`, step),
		"relayed":  streaming(`"stream":"s"`, step),
		"produced": streaming(`"stream":"s","format":"Text"`, step),
		"events":   streaming(`"events":{"steps":["s"]}`, step),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": hangs}, `{"timeout":"3s",`+route[1:])
				release, err := w.admission.Heavy(t.Context(), 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(2*time.Second, release)
				g := w.post(`{"q":"` + strings.Repeat("x", 70<<10) + `"}`)
				w.refused(g, 504, "timeout")
				if g.after != 3*time.Second {
					t.Errorf("after %s, want 3s", g.after)
				}
			})
		})
	}
}
