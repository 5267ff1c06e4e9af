package flow

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// What a step answers is the whole answer as long as nothing was sent. After that it ends the stream: an answer of success as a
// result and the end, or as the text of a stream of one text, and any other as an error event with its status and body.
func TestAnswersOfStreamsThatHaveBegun(t *testing.T) {
	const (
		progress = `"events":{"steps":["last"],"progress":true}`
		events   = `"events":{"steps":["first"]}`
		gone     = `{"error":{"message":"Gone.","type":"invalid_request_error","param":null,"code":"invalid_request","status":410,"body":{"detail":"Gone."}}}`
		usage    = `{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`
	)
	last := `{"name":"last",` + chatOf("a") + `}`
	slowly := `{"name":"first",` + chatOf("b") + `}`
	answer := func(members string) string { return `{"name":"own",` + members + `}` }
	responds := func(status, body string) string {
		return `"respond":{"status":` + status + `,"body":` + body + `}`
	}
	refuses := answer(responds("410", `{"detail":"Gone."}`))
	caught := `{"name":"last","onError":{` + responds("503", `{"why":"${error.code}"}`) + `},` + chatOf("c") + `}`
	unavailable := `{"error":{"message":"{\"why\":\"upstream_truncated\"}","type":"server_error","param":null,"code":"upstream_error","status":503,"body":{"why":"upstream_truncated"}}}`
	for name, tt := range map[string]struct {
		route  string
		status int
		// ends is how the body ends; of whole answers it is all of it.
		ends   string
		result relay.Result
	}{
		"nothing sent":         {streaming(events, refuses, slowly), 410, `{"detail":"Gone."}`, relay.Replied},
		"after progress":       {streaming(progress, refuses, last), 200, "event: error\ndata: " + gone + "\n\n", relay.StreamFailed},
		"after tokens":         {streaming(events, slowly, refuses, last), 200, "event: first\ndata: {\"text\":\"b1\"}\n\nevent: error\ndata: " + gone + "\n\n", relay.StreamFailed},
		"after a comment":      {streaming(`"events":{"steps":["last"]},"keepAlive":"1s"`, slowly, refuses, last), 200, ": keep-alive\n\nevent: error\ndata: " + gone + "\n\n", relay.StreamFailed},
		"before a comment":     {streaming(`"events":{"steps":["last"]},"keepAlive":"9s"`, slowly, refuses, last), 410, `{"detail":"Gone."}`, relay.Replied},
		"chunks":               {streaming(`"stream":"last","keepAlive":"1s"`, slowly, refuses, last), 200, ": keep-alive\n\ndata: " + gone + "\n\n", relay.StreamFailed},
		"text":                 {streaming(`"stream":"last","format":"Text","keepAlive":"1s"`, slowly, refuses, last), 200, ": keep-alive\n\nevent: error\ndata: " + gone + "\n\n", relay.StreamFailed},
		"no body":              {streaming(events, slowly, answer(`"respond":{"status":404}`), last), 200, `"code":"invalid_request","status":404,"body":null}}` + "\n\n", relay.StreamFailed},
		"a limit":              {streaming(events, slowly, answer(responds("429", `"Later."`)), last), 200, `{"message":"Later.","type":"rate_limit_error","param":null,"code":"overloaded","status":429,"body":"Later."}}` + "\n\n", relay.StreamFailed},
		"a redirect":           {streaming(events, slowly, answer(`"respond":{"status":302}`), last), 200, `"code":"upstream_error","status":302,"body":null}}` + "\n\n", relay.StreamFailed},
		"success":              {streaming(progress, answer(responds("200", `{"ok":true}`)), last), 200, "event: result\ndata: {\"ok\":true}\n\nevent: done\ndata: {\"usage\":null}\n\n", relay.StreamDone},
		"success after tokens": {streaming(events, slowly, answer(responds("201", `1`)), last), 200, "event: first\ndata: {\"text\":\"b1\"}\n\nevent: result\ndata: 1\n\nevent: done\ndata: {\"usage\":" + usage + "}\n\n", relay.StreamDone},
		"success, no body":     {streaming(events, slowly, answer(`"respond":{"status":204}`), last), 200, "event: first\ndata: {\"text\":\"b1\"}\n\nevent: done\ndata: {\"usage\":" + usage + "}\n\n", relay.StreamDone},
		"success of a text":    {streaming(`"stream":"last","format":"Text","keepAlive":"1s"`, slowly, answer(responds("200", `"At once."`)), last), 200, ": keep-alive\n\ndata: At once.\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + usage + "}\n\n", relay.StreamDone},
		"success, no text":     {streaming(`"stream":"last","format":"Text","keepAlive":"1s"`, slowly, answer(`"respond":{"status":204}`), last), 200, ": keep-alive\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + usage + "}\n\n", relay.StreamDone},
		"of a failure":         {streaming(`"stream":"last","format":"Text"`, caught), 200, "data: one \n\nevent: error\ndata: " + unavailable + "\n\n", relay.StreamFailed},
		"of a failure, events": {streaming(`"events":{"steps":["last"]}`, caught), 200, "event: error\ndata: " + unavailable + "\n\n", relay.StreamFailed},
		"of a failure, success": {
			streaming(`"events":{"steps":["last"]}`, strings.Replace(caught, "503", "200", 1)), 200,
			"event: result\ndata: {\"why\":\"upstream_truncated\"}\n\nevent: done\ndata: {\"usage\":null}\n\n", relay.StreamDone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{
					"a": always("a1"), "b": func(c *asked) canned { return says(c, 0, "b1").in(1500 * time.Millisecond) }, "c": breaks,
				}, tt.route)
				g := w.post(hi)
				if g.err != nil || g.status != tt.status || !strings.HasSuffix(g.body, tt.ends) || tt.status != 200 && g.body != tt.ends {
					t.Errorf("%d %s (%v), want %d …%s", g.status, g.body, g.err, tt.status, tt.ends)
				}
				if w.outcomes[0].Result != tt.result || len(w.noted(&w.reports)) > 0 {
					t.Errorf("%+v, reported %q", w.outcomes[0], w.noted(&w.reports))
				}
				if cause := w.outcomes[0].Err; cause != nil && strings.Contains(cause.Error(), "Gone") {
					t.Errorf("the answer is in the log: %v", cause)
				}
			})
		})
	}
}

// An answer that stands for an upstream's failure is logged with that failure.
func TestWhyAnAnswerEndedAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": breaks}, streaming(`"stream":"s"`,
			`{"name":"s","onError":{"respond":{"status":410,"body":1}},`+chatOf("a")+`}`))
		w.post(hi)
		if err := w.outcomes[0].Err; err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("failed with %v", err)
		}
	})
}
