package flow

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// streamingFunctions look something up, and then stream: a chat, a race of chats, and a call of a function that streams.
const streamingFunctions = `[
	{"name":"tell","input":{"type":"object","required":["q"],"properties":{"q":{"type":"string"}}},"stream":"said","steps":[
		{"name":"page","http":{"upstream":"web","method":"GET","path":"/"}},
		{"name":"said","chat":{"upstream":"a","messages":[{"role":"user","content":"${steps.page.body} ${input.q}"}]}}]},
	{"name":"race","stream":"won","steps":[{"name":"won","gather":{"strategy":"Fallback","fallback":{"firstToken":"1s"},"branches":[
		{"name":"x","chat":{"upstream":"b","messages":[{"role":"user","content":"x"}]}},
		{"name":"y","call":{"function":"tell","input":{"q":"y"}}}]}}]},
	{"name":"outer","stream":"inner","steps":[{"name":"inner","call":{"function":"race"}}]}]`

// A call of a function that streams has the function's tokens, wherever a chat's may be sent.
func TestFunctionsStream(t *testing.T) {
	const usage = `{"completion_tokens":4,"prompt_tokens":3,"total_tokens":7}`
	call := func(name, function string) string {
		input := ""
		if function == "tell" {
			input = `,"input":{"q":"hi"}`
		}
		return `{"name":"` + name + `","call":{"function":"` + function + `"` + input + `}}`
	}
	say := func(name string, texts ...string) string {
		var all strings.Builder
		for _, text := range texts {
			all.WriteString("event: " + name + "\ndata: {\"text\":\"" + text + "\"}\n\n")
		}
		return all.String()
	}
	text := func(said string) string {
		return "data: " + said + "\n\ndata: !\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + usage + "}\n\n"
	}
	raced := `{"name":"s","gather":{"strategy":"First","branches":[` + call("p", "race") + `,{"name":"q",` + chatOf("b") + `}]}}`
	all := `{"name":"s","gather":{"strategy":"All","branches":[` + call("p", "tell") + `,` + call("q", "outer") + `]}}`
	each := `{"name":"s","forEach":{"items":"${['1','2']}","maxItems":2,"maxParallel":1,"do":{"call":{"function":"outer"}}}}`
	for name, tt := range map[string]struct{ route, want string }{
		"a chat":               {streaming(`"stream":"s","format":"Text"`, call("s", "tell")), text("page hi")},
		"a race":               {streaming(`"stream":"s","format":"Text"`, call("s", "race")), text("page y")},
		"through another":      {streaming(`"stream":"s","format":"Text"`, call("s", "outer")), text("page y")},
		"in a race":            {streaming(`"stream":"s","format":"Text"`, raced), text("page y")},
		"events":               {streaming(`"events":{"steps":["s"]},"body":"${steps.s.text}"`, call("s", "outer")), say("s", "page y", "!") + "event: result\ndata: \"page y!\"\n\n"},
		"events of branches":   {streaming(`"events":{"steps":["s"]}`, all), say("s.p", "page hi", "!") + say("s.q", "page y", "!")},
		"not streamed":         {answering(`"${steps.s.text} by ${steps.s.upstream}"`, call("s", "outer")), `"page y! by a"`},
		"not streamed, a race": {answering(`"${steps.s.text} of ${steps.s.branch}"`, raced), `"page y! of p"`},
		"items":                {answering(`"${steps.s.map(s, s.branch + ': ' + s.text)}"`, each), `["y: page y!","y: page y!"]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: streamingFunctions}, map[string]upstreamFunc{
					"a":   func(c *asked) canned { return says(c, 100*time.Millisecond, c.last(), "!") },
					"b":   hangs,
					"web": func(*asked) canned { return jsonOf(200, `"page"`) },
				}, tt.route)
				g := w.post(hi)
				if g.status != 200 || !strings.HasPrefix(g.body, tt.want) {
					t.Errorf("%d %s\nwant %s; reports %q", g.status, g.body, tt.want, w.noted(&w.reports))
				}
			})
		})
	}
}

// What fails before the first token is a status, another branch may take over, and after it the stream ends with an error.
func TestFailuresOfFunctionsThatStream(t *testing.T) {
	tell := `{"name":"s","call":{"function":"tell","input":{"q":"hi"}}}`
	other := `{"name":"s","gather":{"strategy":"Fallback","branches":[` + strings.Replace(tell, `"s"`, `"p"`, 1) + `,{"name":"q",` + chatOf("b") + `}]}}`
	for name, tt := range map[string]struct {
		step   string
		a, web upstreamFunc
		status int
		want   string
	}{
		"its first step fails": {tell, always("x"), fails(500), 502, "The upstream failed to answer the request."},
		"its model fails":      {tell, fails(503), always("x"), 503, "The upstream is unavailable"},
		"its model breaks off": {tell, breaks, always("x"), 200, "data: one \n\nevent: error\ndata: " + truncated},
		"another takes over":   {other, fails(503), always("x"), 200, "data: from b\n\nevent: done"},
		"nobody takes over":    {other, breaks, always("x"), 200, "data: one \n\nevent: error\ndata: " + truncated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: streamingFunctions}, map[string]upstreamFunc{"a": tt.a, "b": always("from b"), "web": tt.web},
					streaming(`"stream":"s","format":"Text"`, tt.step))
				if g := w.post(hi); g.status != tt.status || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s, want %d %s", g.status, g.body, tt.status, tt.want)
				}
			})
		})
	}
}

// Who is to blame for a value is found through a function that streams, too.
func TestBlameThroughFunctionsThatStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{functions: streamingFunctions}, map[string]upstreamFunc{"a": always("0"), "web": func(*asked) canned { return jsonOf(200, `1`) }},
			answering(`"${1 / int(steps.s.text)}"`, `{"name":"s","call":{"function":"tell","input":{"q":"hi"}}}`))
		w.wants(w.post(hi), 502, `{"detail":"This route cannot use an upstream's answer."}`)
	})
}
