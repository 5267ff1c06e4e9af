package browser_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// What the page shows as text of each kind of stream, whether it comes at once or character by character.
func TestTextOfEvents(t *testing.T) {
	b := open(t, serve(t).url, "/docs")
	for name, tc := range map[string]struct {
		stream string
		want   map[string]string
	}{
		"OpenAI": {
			"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a \"}}]}\n\n" +
				": a comment\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n",
			map[string]string{"": "a b"},
		},
		"Text": {
			"data: one\n\ndata:  two\n\ndata: \ndata: 3\n\nevent: done\ndata: {\"finishReason\":\"stop\"}\n\n",
			map[string]string{"": "one two\n3"},
		},
		"Text of digits":  {"data: 4\n\ndata: 2\n\ndata: \"\n\n", map[string]string{"": `42"`}},
		"JSON":            {"event: delta\ndata: {\"text\":\"a\"}\n\nevent: delta\ndata: {\"text\":\"b\"}\n\nevent: done\ndata: {}\n\n", map[string]string{"": "ab"}},
		"named":           {"event: draft\ndata: {\"text\":\"a\"}\n\nevent: answer\ndata: {\"text\":\"b\"}\n\nevent: draft\ndata: {\"text\":\"c\"}\n\n", map[string]string{"draft": "ac", "answer": "b"}},
		"progress":        {"event: progress\ndata: {\"step\":\"x\",\"state\":\"started\"}\n\n", map[string]string{}},
		"error":           {"data: one\n\nevent: error\ndata: {\"error\":{}}\n\n", map[string]string{"": "one"}},
		"error of OpenAI": {"data: {\"error\":{\"message\":\"m\"}}\n\n", map[string]string{}},
		"line ends":       {"data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\r\n", map[string]string{"": "abcd"}},
		"unfinished":      {"data: a\n\ndata: b\n", map[string]string{"": "a"}},
		"no colon":        {"data\n\ndata:x\n\nother: y\n\n", map[string]string{"": "x"}},
	} {
		encoded, err := json.Marshal(tc.stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, pieces := range []string{"[stream]", "Array.from(stream)"} {
			got, err := chromedp.Run(b.ctx, chromedp.Evaluate[map[string]string](fmt.Sprintf(
				`{ const stream = %s, reader = new EventReader(); %s.forEach((part) => reader.feed(part)); Object.fromEntries(reader.texts) }`,
				encoded, pieces)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, pieces, diff)
			}
		}
	}
}
