package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// listening notes on the page what an EventSource reports, until it has closed.
const listening = `{
	const noted = document.body.appendChild(document.createElement("pre"));
	noted.id = "noted";
	const note = (...words) => { noted.textContent += words.join(" ") + "\n"; };
	const source = new EventSource("/count");
	for (const name of ["count", "done"]) {
		source.addEventListener(name, (event) => note(name, event.data, event.lastEventId));
	}
	source.addEventListener("error", () => note("error:", source.readyState === EventSource.CLOSED ? "closed" : "connects again"));
}`

// TestEventSource: a browser connects again after a stream has ended, with the id of the last event, and not after a 204.
func TestEventSource(t *testing.T) {
	b := open(t, serve(t).url, "/docs")
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[any](listening)); err != nil {
		t.Fatal(err)
	}
	const want = "count {\"n\":1} 1\ndone {\"usage\":null} 2\nerror: connects again\nerror: closed\n"
	if diff := cmp.Diff(want, b.sees("#noted", "closed")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
