package flow

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The route's own bound of a stream holds from the request to the last event, in each way to stream, and has an end of its own
// kind: an error event after content or a comment, and a status before.
func TestARouteBoundsItsStream(t *testing.T) {
	begins := func(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "begun")}}).hangs() }
	drips := func(c *asked) canned {
		return streams(c, slices.Repeat([]part{{after: 5 * time.Second, text: chunkOf(c, "x")}}, 100))
	}
	step := `{"name":"s",` + chatOf("a") + `}`
	const bound = `{"maxStreamDuration":"3s",`
	for name, tt := range map[string]struct {
		bounds, route string
		upstream      upstreamFunc
		status        int
		code          string
		after         time.Duration
	}{
		"relayed":             {bound, streaming(`"stream":"s"`, step), begins, 200, "stream_duration_exceeded", 3 * time.Second},
		"text":                {bound, streaming(`"stream":"s","format":"Text"`, step), begins, 200, "stream_duration_exceeded", 3 * time.Second},
		"events":              {bound, streaming(`"events":{"steps":["s"]}`, step), begins, 200, "stream_duration_exceeded", 3 * time.Second},
		"progress":            {bound, streaming(`"events":{"progress":true}`, step), hangs, 200, "stream_duration_exceeded", 3 * time.Second},
		"a comment":           {bound, streaming(`"stream":"s","keepAlive":"1s"`, step), hangs, 200, "stream_duration_exceeded", 3 * time.Second},
		"before content":      {bound, streaming(`"stream":"s"`, step), hangs, 504, "stream_duration_exceeded", 3 * time.Second},
		"an equal timeout":    {bound + `"timeout":"3s",`, streaming(`"events":{"steps":["s"]}`, step), hangs, 504, "stream_duration_exceeded", 3 * time.Second},
		"a shorter timeout":   {bound + `"timeout":"2s",`, streaming(`"stream":"s"`, step), hangs, 504, "timeout", 2 * time.Second},
		"after a timeout":     {bound + `"timeout":"2s",`, streaming(`"stream":"s"`, step), begins, 200, "stream_duration_exceeded", 3 * time.Second},
		"the replicas' bound": {`{"maxStreamDuration":"2h",`, streaming(`"stream":"s"`, step), drips, 200, "stream_duration_exceeded", maxStreamDuration},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": tt.upstream}, tt.bounds+tt.route[1:])
				g := w.post(hi)
				told := messageOf(tt.code)
				if g.err != nil || g.status != tt.status || strings.Count(g.body, told) != 1 || g.after != tt.after {
					t.Errorf("%d %s (%v) after %s, want %d %s after %s", g.status, g.body, g.err, g.after, tt.status, tt.code, tt.after)
				}
				if strings.Contains(g.body, "[DONE]") || strings.Contains(g.body, "event: done") {
					t.Errorf("it ends twice: %s", g.body)
				}
				if w.client.open != 0 || len(w.noted(&w.reports)) > 0 {
					t.Errorf("%d calls are open; reports %q", w.client.open, w.reports)
				}
			})
		})
	}
}

// Waits before a request's steps begin are part of its stream's time, which may end before they do.
func TestTheWaitForTheInputIsPartOfTheStream(t *testing.T) {
	for wait, status := range map[time.Duration]int{2 * time.Second: 200, 4 * time.Second: 504} {
		synctest.Test(t, func(t *testing.T) {
			begins := func(c *asked) canned { return streams(c, []part{{text: chunkOf(c, "begun")}}).hangs() }
			w := newWorld(t, settings{}, map[string]upstreamFunc{"a": begins},
				`{"maxStreamDuration":"3s",`+streaming(`"stream":"s"`, `{"name":"s",`+chatOf("a")+`}`)[1:])
			release, err := w.admission.Heavy(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(wait, release)
			g := w.post(`{"q":"` + strings.Repeat("x", 70<<10) + `"}`)
			if g.status != status || !strings.Contains(g.body, messageOf("stream_duration_exceeded")) || g.after != 3*time.Second {
				t.Errorf("%d %.200s after %s, want %d and the end of the stream after 3s", g.status, g.body, g.after, status)
			}
			time.Sleep(2 * time.Second) // until the worker is free
		})
	}
}
