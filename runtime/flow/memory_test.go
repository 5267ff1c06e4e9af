package flow

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/admission"
)

// little is a replica's memory of which requests may reserve about 3 MiB.
const little = admission.Base + 20<<20

// text answers with a JSON string of this many bytes.
func text(bytes int, after time.Duration) upstreamFunc {
	return func(*asked) canned { return jsonOf(200, `"`+strings.Repeat("x", bytes-2)+`"`).in(after) }
}

// rest fails the test if a world at rest holds memory, or held more than there is.
func (w *world) rest() {
	w.t.Helper()
	synctest.Wait()
	if reserved, inFlight := w.admission.Bytes.Reserved(), w.admission.InFlight(); reserved != 0 || inFlight != 0 {
		w.t.Errorf("at rest %d bytes are reserved and %d requests in flight", reserved, inFlight)
	}
}

func get(name, more string) string {
	return `{"name":"` + name + `",` + more + `"http":{"upstream":"web","method":"GET","path":"/x"}}`
}

// An answer for which there is no memory fails its step, and nobody is at fault: other branches may do without it, and the
// client gets an error that asks it to come back.
func TestAnswersForWhichThereIsNoMemory(t *testing.T) {
	huge := func(*asked) canned {
		return jsonOf(200, `[`+strings.TrimSuffix(strings.Repeat("{},", 150_000), ",")+`]`)
	}
	each := func(more string) string {
		return `{"name":"s","forEach":{"items":"${[1,2,3,4,5,6,7,8]}","maxItems":8,"maxParallel":8,"do":{` + more + `"http":{"upstream":"web","method":"GET","path":"/x"}}}}`
	}
	race := func(strategy string) string {
		return `{"name":"s","gather":{"strategy":"` + strategy + `","branches":[` + get("large", "") + `,{"name":"small",` + chatOf("a") + `}]}}`
	}
	for name, tt := range map[string]struct {
		route  string
		web    upstreamFunc
		status int
		want   string
	}{
		"one that fits":            {answering(`"${size(steps.x.body)}"`, get("x", "")), text(900<<10, 0), 200, `921598`},
		"several that do not":      {answering(`"${size(steps.s)}"`, each("")), text(900<<10, 0), 502, "used up the budget"},
		"several, without those":   {answering(`"${steps.s.map(x, x != null).exists(x, x) && steps.s.exists(x, x == null)}"`, each(`"onError":{"continue":{}},`)), text(900<<10, 0), 200, `true`},
		"one that never fits":      {answering(`"${steps.x.status}"`, get("x", "")), text(3<<20, 0), 502, "The upstream failed"},
		"decoded, it never fits":   {answering(`"${steps.x.status}"`, get("x", "")), huge, 502, "The upstream failed"},
		"a branch does without":    {answering(`"${steps.s.branch}"`, race("Fallback")), text(3<<20, 0), 200, `"small"`},
		"a race does without":      {answering(`"${steps.s.branch}"`, race("First")), text(3<<20, 0), 200, `"small"`},
		"others are told of it":    {answering(`"${steps.s.errors.large.orValue({}).code}"`, race("AllSettled")), text(3<<20, 0), 200, `"upstream_error"`},
		"with an answer instead":   {answering(`1`, get("x", `"onError":{"respond":{"status":503,"body":"${error.code}"}},`)), text(3<<20, 0), 503, `"upstream_error"`},
		"a stream has not begun":   {streaming(`"stream":"y"`, each(""), `{"name":"y",`+chatOf("a")+`}`), text(900<<10, 0), 502, "used up the budget"},
		"told where it is awaited": {answering(`1`, `{"name":"g","gather":{"strategy":"All","branches":[`+get("x", "")+`,`+get("y", "")+`,`+get("z", "")+`,{"name":"v",`+chatOf("a")+`}]}}`), text(1000<<10, 0), 502, "used up the budget"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{memory: little}, map[string]upstreamFunc{"a": always("x"), "web": tt.web}, tt.route)
				g := w.post(hi)
				if g.status != tt.status || !strings.Contains(g.body, tt.want) || g.status == 429 && g.header.Get("Retry-After") != "1" {
					t.Errorf("%d %.200s %v, want %d %s; observed %q", g.status, g.body, g.header, tt.status, tt.want, w.noted(&w.observed))
				}
				if g.after > 3*time.Second {
					t.Errorf("it took %s", g.after)
				}
				w.rest()
			})
		})
	}
}

// Memory is also reserved for what is collected of a stream, held back, decoded or built.
func TestWhatIsMadeIsReserved(t *testing.T) {
	long := func(c *asked) canned {
		pieces := make([]string, 400)
		for i := range pieces {
			pieces[i] = strings.Repeat("x", 4<<10)
		}
		return says(c, 0, pieces...)
	}
	chat := `{"name":"s",` + chatOf("a") + `}`
	for name, tt := range map[string]struct {
		route, body string
		status      int
		want        string
	}{
		"collected text":        {streaming(`"events":{"steps":["s"]}`, chat), hi, 200, "budget_exceeded|overloaded|upstream_error"},
		"text that is held":     {streaming(`"stream":"s","format":"Text","commit":"AfterValidation","schema":{"type":"string"}`, chat), hi, 0, ""},
		"a body of many values": {answering(`1`), `[` + strings.TrimSuffix(strings.Repeat("{},", 150_000), ",") + `]`, 413, "more values"},
		"a body of fewer":       {answering(`"${size(request.body)}"`), `[` + strings.TrimSuffix(strings.Repeat("{},", 10_000), ",") + `]`, 200, "10000"},
		"what expressions make": {
			answering(`1`, `{"name":"s","set":{"value":["`+strings.Repeat(`${request.body}","`, 8)+`"]}}`), `[` + strings.TrimSuffix(strings.Repeat("[1],", 6_000), ",") + `]`, 502, "budget",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{memory: little}, map[string]upstreamFunc{"a": long}, tt.route)
				g := w.post(tt.body)
				switch {
				case tt.status == 0:
					if g.status != 429 && g.status != 500 && g.status != 502 {
						t.Errorf("%d %.200s", g.status, g.body)
					}
				case tt.status != g.status:
					t.Errorf("%d %.300s, want %d %s", g.status, g.body, tt.status, tt.want)
				}
				if !containsAny(g.body, tt.want) {
					t.Errorf("%d %s, want %s", g.status, g.body[max(0, len(g.body)-300):], tt.want)
				}
				w.rest()
			})
		})
	}
}

func containsAny(text, alternatives string) bool {
	for want := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(text, want) {
			return true
		}
	}
	return false
}

// Many requests at once hold no more than there is, no matter what they do.
func TestManyRequestsHoldNoMoreThanThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{memory: little}, map[string]upstreamFunc{"a": slow(time.Second, "x"), "web": text(600<<10, time.Second)},
			answering(`"${size(steps.x.body)}"`, get("x", "")))
		var wg sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 60 {
			wg.Go(func() {
				g := w.post(`{"q":"` + strings.Repeat("x", 200<<10) + `"}`)
				mu.Lock()
				defer mu.Unlock()
				statuses[g.status]++
				if reserved, total := w.admission.Bytes.Reserved(), w.admission.Bytes.Total(); reserved > int64(total) {
					t.Errorf("%d bytes are reserved of %d", reserved, total)
				}
			})
		}
		wg.Wait()
		if statuses[200] == 0 || statuses[200]+statuses[429] != 60 {
			t.Errorf("statuses %v", statuses)
		}
		w.rest()
	})
}

// No matter how many answers come at once, no more of them is kept than the budget allows.
func TestAnswersThatComeAtOnceShareTheBudget(t *testing.T) {
	for name, tt := range map[string]struct{ answer, budget, status int }{
		"all fit":             {1000, 32_000, 200},
		"one does not":        {1000, 31_999, 502},
		"only one would":      {900 << 10, 1 << 20, 502},
		"none would by a bit": {1001, 1000, 502},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				numbers := strings.TrimSuffix(strings.Repeat("1,", 32), ",")
				each := `{"name":"s","forEach":{"items":"${[` + numbers + `]}","maxItems":32,"maxParallel":32,"do":{"http":{"upstream":"web","method":"GET","path":"/x"}}}}`
				w := newWorld(t, settings{}, map[string]upstreamFunc{"web": text(tt.answer, time.Second)},
					budgetOf(99, 0, tt.budget, answering(`1`, each)))
				g := w.post(hi)
				if g.status != tt.status || tt.status != 200 && !strings.Contains(g.body, "budget") {
					t.Errorf("%d %s, want %d", g.status, g.body, tt.status)
				}
				w.rest()
			})
		})
	}
}

// A failed attempt leaves its bytes to the next.
func TestBytesOfFailedTriesAreGivenBack(t *testing.T) {
	for name, tt := range map[string]struct{ route, want string }{
		"a whole answer": {answering(`"${steps.x.text}"`, `{"name":"x",`+chatOf("a")+`}`), `"fine"`},
		"a stream":       {streaming(`"stream":"x","format":"Text"`, `{"name":"x",`+chatOf("a")+`}`), "fine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := func(c *asked) canned {
					if c.n > 1 {
						return says(c, 0, "fine")
					}
					if c.body.Stream {
						return streams(c, nil) // it breaks off after a refusal's role
					}
					return jsonOf(200, `{"choices":[],"x":"`+strings.Repeat("x", 250)+`"}`)
				}
				w := newWorld(t, settings{endpoints: 2}, map[string]upstreamFunc{"a": script}, budgetOf(9, 0, 300, tt.route))
				if g := w.post(hi); g.status != 200 || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s", g.status, g.body)
				}
				w.rest()
			})
		})
	}
}

// Calls that run at once have equal shares of the unused tokens, and wait if all are reserved.
func TestTokensAreReserved(t *testing.T) {
	ask := func(name, parameters string) string {
		if parameters != "" {
			parameters = `,"parameters":{"max_tokens":` + parameters + `}`
		}
		return `{"name":"` + name + `","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]` + parameters + `}}`
	}
	gathered := func(strategy string, branches ...string) string {
		return `{"name":"g","gather":{"strategy":"` + strategy + `","branches":[` + strings.Join(branches, ",") + `]}}`
	}
	call := `{"name":"%s","call":{"function":"f"}}`
	const each = `{"name":"s","forEach":{"items":"${[1,2,3,4,5,6]}","maxItems":6,"maxParallel":3,"do":{"chat":{"upstream":"a","messages":[{"role":"user","content":"x"}]}}}}`
	for name, tt := range map[string]struct {
		budget int
		step   string
		status int
		asked  []string // the time at which it was asked, and its number of tokens
	}{
		"alone":               {100, ask("x", ""), 200, []string{"0s 100"}},
		"branches":            {100, gathered("All", ask("x", ""), ask("y", "")), 200, []string{"0s 50", "0s 50"}},
		"a race":              {100, gathered("First", ask("x", ""), ask("y", "")), 200, []string{"0s 50", "0s 50"}},
		"those that ask":      {100, gathered("All", ask("x", ""), get("y", "")), 200, []string{"0s 100"}},
		"functions":           {100, gathered("All", fmt.Sprintf(call, "x"), fmt.Sprintf(call, "y")), 200, []string{"0s 50", "0s 50"}},
		"one after the other": {100, gathered("Fallback", ask("x", ""), ask("y", "")), 200, []string{"0s 100"}},
		"items":               {90, each, 200, []string{"0s 30", "0s 30", "0s 30", "1s 23", "2s 23", "3s 23"}},
		"what they want":      {100, gathered("All", ask("x", "10"), ask("y", "20")), 200, []string{"0s 10", "0s 20"}},
		"the last has less":   {100, gathered("All", ask("x", "80"), ask("y", "80")), 200, []string{"0s 20", "0s 80"}},
		"the third waits":     {100, gathered("All", ask("x", "50"), ask("y", "50"), ask("z", "50")), 200, []string{"0s 50", "0s 50", "1s 43"}},
		"nothing comes back":  {10, gathered("All", ask("x", "5"), ask("y", "5"), ask("z", "5")), 502, []string{"0s 5", "0s 5"}},
		"too few for each":    {2, gathered("All", ask("x", ""), ask("y", ""), ask("z", "")), 502, []string{"0s 1", "0s 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings{functions: `[{"name":"f","output":1,"steps":[` + ask("x", "") + `]}]`}
				turns := func(c *asked) canned { // no two end at the same moment
					return says(c, 0, "x").in(time.Duration(c.n+c.n/4*5) * time.Second)
				}
				w := newWorld(t, s, map[string]upstreamFunc{"a": turns, "web": text(10, 0)},
					budgetOf(99, tt.budget, 9999, answering(`1`, tt.step)))
				if g := w.post(hi); g.status != tt.status || tt.status != 200 && !strings.Contains(g.body, "budget") {
					t.Errorf("%d %s", g.status, g.body)
				}
				var asked []string
				for _, c := range w.client.of("a") {
					asked = append(asked, fmt.Sprintf("%s %d", c.began, c.body.MaxTokens))
				}
				if got, want := sorted(asked), sorted(tt.asked); got != want {
					t.Errorf("asked %s, want %s", got, want)
				}
			})
		})
	}
}

func sorted(texts []string) string {
	all := append([]string{}, texts...)
	slices.Sort(all)
	return strings.Join(all, ", ")
}
