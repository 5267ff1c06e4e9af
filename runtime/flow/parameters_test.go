package flow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// picky is an upstream that does not know stream_options.
func picky(c *asked) canned {
	if c.body.StreamOptions != nil {
		return jsonOf(422, `{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}`)
	}
	return always("one")(c)
}

// If the parameters leave stream_options out, no such member is sent, and the usage is null.
func TestStreamOptionsCanBeLeftOut(t *testing.T) {
	const agent = `"agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["f"],"maxTurns":2,"maxParallel":1,"parameters":%s}`
	const chat = `"chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"parameters":%s}`
	for _, parameters := range []string{`{"stream_options":{"include_usage":false}}`, `{"stream_options":null}`, `{"stream_options":{"include_usage":"${request.body.no}"}}`} {
		for _, kind := range []string{chat, agent} {
			for response, want := range map[string]string{
				`"stream":"s"`:                          "[DONE]",
				`"stream":"s","format":"OpenAI"`:        "[DONE]",
				`"stream":"s","format":"Text"`:          "event: done\ndata: {\"finishReason\":\"stop\",\"usage\":null}\n\n",
				`"stream":"s","format":"JSON"`:          "event: done\ndata: {\"finishReason\":\"stop\",\"usage\":null}\n\n",
				`"events":{"steps":["s"]}`:              "event: done\ndata: {\"usage\":null}\n\n",
				`"events":{"steps":["s"]},"body":"\"x"`: "event: done\ndata: {\"usage\":null}\n\n",
			} {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, settings{functions: `[{"name":"f","output":"x","steps":[{"name":"x","set":{"value":1}}]}]`},
						map[string]upstreamFunc{"a": picky}, streaming(response, `{"name":"s",`+fmt.Sprintf(kind, parameters)+`}`))
					g := w.post(`{"no":false}`)
					if g.status != 200 || !strings.Contains(g.body, "one") || !strings.Contains(g.body, want) || len(w.client.of("a")) != 1 {
						t.Errorf("%s, %s: %d %s", parameters, response, g.status, g.body)
					}
				})
			}
		}
	}
}

// Output decides what the upstream is asked for; the answer is checked against the schema in any case.
func TestOutputSaysWhatItAsksFor(t *testing.T) {
	const schema = `"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`
	for _, tt := range []struct {
		output, parameters string
		want               map[string]any
	}{
		{schema, `{}`, map[string]any{"type": "json_schema"}},
		{schema + `,"responseFormat":"Schema"`, `{}`, map[string]any{"type": "json_schema"}},
		{schema + `,"responseFormat":"JSONObject"`, `{}`, map[string]any{"type": "json_object"}},
		{schema + `,"responseFormat":"Nothing"`, `{}`, nil},
		{schema + `,"responseFormat":"Nothing"`, `{"response_format":{"type":"grammar"}}`, map[string]any{"type": "grammar"}},
	} {
		for _, kind := range []string{
			`"chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"parameters":%s,"output":{%s,"repairAttempts":1}}`,
			`"agent":{"upstream":"a","messages":[{"role":"user","content":"x"}],"tools":["f"],"maxTurns":3,"maxParallel":1,"parameters":%s,"output":{%s,"repairAttempts":1}}`,
		} {
			synctest.Test(t, func(t *testing.T) {
				answers := func(c *asked) canned {
					if len(c.body.Messages) == 1 {
						return always(`{}`)(c)
					}
					return always(`{"n":5}`)(c)
				}
				w := newWorld(t, settings{functions: `[{"name":"f","output":"x","steps":[{"name":"x","set":{"value":1}}]}]`},
					map[string]upstreamFunc{"a": answers}, answering(`"${steps.s.output.n}"`, `{"name":"s",`+fmt.Sprintf(kind, tt.parameters, tt.output)+`}`))
				w.wants(w.post(hi), 200, `5`)
				for i, c := range w.client.of("a") {
					delete(c.body.Format, "json_schema")
					if diff := cmp.Diff(tt.want, c.body.Format); diff != "" {
						t.Errorf("%s, call %d: %s", tt.output, i, diff)
					}
				}
				if n := len(w.client.of("a")); n != 2 {
					t.Errorf("%d calls", n)
				}
			})
		}
	}
}
