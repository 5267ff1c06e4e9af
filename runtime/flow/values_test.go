package flow

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/relay"
)

// valueFunctions return a value; one calls the other.
const valueFunctions = `[
	{"name":"find","input":{"type":"object"},"output":{"page":"${steps.page.body}"},"steps":[
		{"name":"page","http":{"upstream":"web","method":"GET","path":"/"}}]},
	{"name":"outer","output":"${steps.s.page + steps.v}","steps":[{"name":"v","set":{"value":"!"}},{"name":"s","call":{"function":"find"}}]}]`

// A step that makes a value, or calls a function that returns one, sends it as an event of its name once it is there.
func TestValuesAreEvents(t *testing.T) {
	set := func(more, value string) string { return `{"name":"v",` + more + `"set":{"value":` + value + `}}` }
	find := `{"name":"s","call":{"function":"find"}}`
	event := func(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }
	told := func(step, state string) string { return event("progress", `{"step":"`+step+`","state":"`+state+`"}`) }
	values := `"events":{"steps":["v"]}`
	gathered := func(strategy string) string {
		return `{"name":"g","gather":{"strategy":"` + strategy + `","branches":[{"name":"x","call":{"function":"find"}},` +
			`{"name":"y","onError":{"value":"none"},"http":{"upstream":"c","method":"GET","path":"/"}}]}}`
	}
	for name, tt := range map[string]struct{ route, want string }{
		"a value":               {streaming(values, set("", `{"b":[1,2.5,null],"a":"${request.body.q}\n"}`)), event("v", `{"a":"hi\n","b":[1,2.5,null]}`)},
		"null":                  {streaming(values, set("", `null`)), event("v", "null")},
		"a text":                {streaming(values, set("", `"é <>&"`)), event("v", `"é <>&"`)},
		"a call":                {streaming(`"events":{"steps":["s"]}`, find), event("s", `{"page":"text"}`)},
		"through another":       {streaming(`"events":{"steps":["s","v"]},"body":1`, `{"name":"s","call":{"function":"outer"}}`, set("", `2`)), event("s", `"text!"`) + event("v", "2") + event("result", "1")},
		"skipped":               {streaming(values, set(`"when":"${false}",`, `1`)), ""},
		"a branch":              {streaming(`"events":{"steps":["g.x"]}`, gathered("All")), event("g.x", `{"page":"text"}`)},
		"a branch that settles": {streaming(`"events":{"steps":["g.x"]}`, gathered("AllSettled")), event("g.x", `{"page":"text"}`)},
		"with progress": {
			streaming(`"events":{"steps":["v"],"progress":true}`, set("", `1`)), told("v", "started") + event("v", "1") + told("v", "succeeded"),
		},
		"in place of a failure": {
			streaming(`"events":{"steps":["v"],"progress":true}`, set(`"onError":{"value":{"why":"${error.code}"}},`, `"${request.body.q == '' ? 1 : int(request.body.q)}"`)),
			told("v", "started") + told("v", "failed") + event("v", `{"why":"invalid_request"}`),
		},
		"none of a failure": {
			streaming(`"events":{"steps":["v"]},"body":1`, set(`"onError":{"continue":{}},`, `"${int(request.body.q)}"`)), event("result", "1"),
		},
		"next to tokens": {
			streaming(`"events":{"steps":["v","s"]}`, set("", `1`), `{"name":"s",`+chatOf("a")+`}`, `{"name":"w","set":{"value":2}}`),
			event("v", "1") + event("s", `{"text":"one"}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: valueFunctions}, map[string]upstreamFunc{
					"a": always("one"), "web": func(*asked) canned { return jsonOf(200, `"text"`) },
				}, strings.ReplaceAll(tt.route, `"upstream":"c"`, `"upstream":"web"`))
				got, usage, _ := strings.Cut(w.post(hi).body, "event: done\n")
				if diff := cmp.Diff(tt.want, got); diff != "" || !strings.HasPrefix(usage, "data: {\"usage\":") || len(w.noted(&w.reports)) > 0 {
					t.Errorf("%s, reports %q (-want +got):\n%s", usage, w.noted(&w.reports), diff)
				}
			})
		})
	}
}

// A value is content: what fails after it is an error event, and the route's timeout has been met.
func TestAValueBeginsTheAnswer(t *testing.T) {
	value := `{"name":"v","set":{"value":1}}`
	for name, tt := range map[string]struct {
		script upstreamFunc
		ends   string
	}{
		"a failure":            {fails(503), `"code":"upstream_unavailable"}}` + "\n\n"},
		"longer than the time": {func(c *asked) canned { return says(c, 0, "late").in(5 * time.Second) }, "event: done\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script},
					`{"timeout":"3s",`+streaming(`"events":{"steps":["v"]}`, value, `{"name":"s",`+chatOf("a")+`}`)[1:])
				g := w.post(hi)
				if g.status != 200 || !strings.HasPrefix(g.body, "event: v\ndata: 1\n\n") || !strings.Contains(g.body, tt.ends) {
					t.Errorf("%d %s", g.status, g.body)
				}
			})
		})
	}
}

var idLine = regexp.MustCompile(`(?m)^id: (\d+)$`)

// Each event of a stream has the next id, whoever sends it and whatever ends the stream; comments have none. The first has the time
// to wait.
func TestMarksOfEvents(t *testing.T) {
	marked := `"events":{"steps":["g.b1","g.b2","v"],"progress":true,"ids":true,"retry":"1500ms"},"body":1,"keepAlive":"1s"`
	steps := []string{`{"name":"v","set":{"value":1}}`, gatherOf("All", "", "a", "b")}
	for name, tt := range map[string]struct {
		script upstreamFunc
		ends   string
		result relay.Result
	}{
		"done": {func(c *asked) canned { return says(c, 700*ms, "1", "2", "3") }, "event: done\ndata: {\"usage\":" + `{"prompt_tokens":6,"completion_tokens":8,"total_tokens":14}` + "}\nid: ", relay.StreamDone},
		"an error": {
			func(c *asked) canned { return breaks(c).in(3 * time.Second) },
			"event: error\ndata: " + truncated + "\nid: ", relay.StreamFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.script, "b": tt.script}, streaming(marked, steps...))
				g := w.post(hi)
				ids := idLine.FindAllStringSubmatch(g.body, -1)
				for i, id := range ids {
					if id[1] != strconv.Itoa(i+1) {
						t.Errorf("the event %d has the id %s:\n%s", i+1, id[1], g.body)
					}
				}
				if events := strings.Count(g.body, "\n\n") - strings.Count(g.body, ": keep-alive\n\n"); events < 10 || len(ids) != events {
					t.Errorf("%d of %d events have an id:\n%s", len(ids), events, g.body)
				}
				begins := "event: progress\ndata: {\"step\":\"v\",\"state\":\"started\"}\nid: 1\nretry: 1500\n\n"
				if !strings.HasPrefix(g.body, begins) || strings.Count(g.body, "retry:") != 1 || !strings.Contains(g.body, tt.ends) || w.outcomes[0].Result != tt.result {
					t.Errorf("%s, want it to begin with %q and to end with %q", g.body, begins, tt.ends)
				}
			})
		})
	}
}

// A stream that a comment began ends in an event with the marks, and an answer before that has none.
func TestMarksOfFailures(t *testing.T) {
	late := func(c *asked) canned { return says(c, 0, "1").in(5 * time.Second) }
	for name, tt := range map[string]struct{ response, want string }{
		"after a comment": {`"keepAlive":"2s",`, ": keep-alive\n\nevent: error\ndata: {\"error\":{\"message\":\"" + messageOf("timeout") + "\",\"type\":\"server_error\",\"param\":null,\"code\":\"timeout\"}}\nid: 1\nretry: 3000\n\n"},
		"a status":        {"", `{"detail":"` + messageOf("timeout") + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": late},
					`{"timeout":"3s",`+streaming(tt.response+`"events":{"steps":["s"],"ids":true,"retry":"3s"}`, `{"name":"s",`+chatOf("a")+`}`)[1:])
				if g := w.post(hi); g.body != tt.want {
					t.Errorf("got %q, want %q", g.body, tt.want)
				}
			})
		})
	}
}

// A browser that connects again says which event it had last; the route may send it no stream then, which makes it stop.
func TestLastEventID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("one")}, streaming(`"events":{"steps":["s"],"ids":true}`,
			`{"name":"again","when":"${'last-event-id' in request.headers}","respond":{"status":204}}`, `{"name":"s",`+chatOf("a")+`}`))
		if g := w.post(hi); g.status != 200 || !strings.HasPrefix(g.body, "event: s\ndata: {\"text\":\"one\"}\nid: 1\n\n") {
			t.Errorf("%d %s", g.status, g.body)
		}
		if g := w.do(t.Context(), "/", hi, map[string][]string{"Last-Event-Id": {"1"}}); g.status != 204 || g.body != "" {
			t.Errorf("%d %s", g.status, g.body)
		}
	})
}
