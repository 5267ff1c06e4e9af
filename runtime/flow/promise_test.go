package flow

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A default that only the check had seen would let through an answer that breaks its schema.
func TestWhatIsCheckedIsSent(t *testing.T) {
	const schema = `"schema":{"type":"object","required":["a","b"],"additionalProperties":false,"properties":{"a":{"type":"number"},"b":{"type":"string","default":"<x>"}}}`
	const promised = `"schema":{"type":"object","properties":{"a":{"type":"number"}}}`
	chat := `{"name":"x",` + chatOf("a") + `}`
	said := func(text string) map[string]upstreamFunc { return map[string]upstreamFunc{"a": always(text)} }
	for name, tt := range map[string]struct {
		script map[string]upstreamFunc
		route  string
		status int
		want   string
	}{
		"whole":                             {nil, `{"response":{` + schema + `,"body":{"a":1.50}}}`, 200, `{"a":1.5,"b":"<x>"}`},
		"whole, with nothing left out":      {nil, `{"response":{` + schema + `,"body":{"b":"y","a":1.50}}}`, 200, `{"b":"y","a":1.50}`},
		"whole, with more left out":         {said(`{"b":"y"}`), answering(`"${steps.x.text.parseJson()}",`+schema, chat), 502, messageOf("response_invalid")},
		"an event":                          {said("hi"), `{"steps":[` + chat + `],"response":{"events":{"steps":["x"]},` + schema + `,"body":{"a":2}}}`, 200, `event: result` + "\n" + `data: {"a":2,"b":"<x>"}`},
		"a stream":                          {said(`{"a":1}`), streaming(`"stream":"x","format":"JSON",`+schema, chat), 200, messageOf("response_invalid")},
		"a stream, held":                    {said(`{"a":1}`), streaming(`"stream":"x","commit":"AfterValidation",`+schema, chat), 502, messageOf("response_invalid")},
		"a stream with nothing left out":    {said(`{"a":1,"b":"z"}`), streaming(`"stream":"x","format":"JSON",`+schema, chat), 200, "event: done"},
		"an output that is streamed":        {said(`{"a":1}`), streaming(`"stream":"x","format":"Text",`+schema, `{"name":"x","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"output":{`+schema+`}}}`), 200, `data: {"a":1,"b":"<x>"}`},
		"an output as a value":              {said(`{"a":1}`), answering(`["${steps.x.output}"]`, `{"name":"x","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"output":{`+schema+`}}}`), 200, `[{"a":1,"b":"<x>"}]`},
		"a number that is kept as it stood": {nil, `{"response":{` + schema + `,"body":{"a":12345678901234567890.10}}}`, 200, `{"a":12345678901234567890.10,"b":"<x>"}`},
		"whole, with members that are not promised": {
			said(`{"a":1,"secret":"internal"}`), answering(`"${steps.x.text.parseJson()}",`+promised, chat), 200, `{"a":1}`,
		},
		"an event with members that are not promised": {
			said("hi"), `{"steps":[` + chat + `],"response":{"events":{"steps":["x"]},` + promised + `,"body":{"a":2,"b":3}}}`, 200, `data: {"a":2}`,
		},
		"all members, where the route says so": {
			said(`{"a":1,"b":2}`), answering(`"${steps.x.text.parseJson()}","unknownMembers":"Keep",`+promised, chat), 200, `{"a":1,"b":2}`,
		},
		"what was sent, in an object more": {
			nil, `{"response":{"schema":{"type":"object"},"body":{"is":["${request.body.q}"]}}}`, 422, `"loc":["body","q"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := hi
			if tt.status == 422 {
				request = `{"q":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, tt.script, tt.route)
				if g := w.post(request); g.status != tt.status || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s (%v), want %d %s; reports %q", g.status, g.body, g.err, tt.status, tt.want, w.reports)
				}
			})
		})
	}
}
