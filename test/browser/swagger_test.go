package browser_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/llmservice/llmservice/test/mockllm"
)

// Operations of the service, and the parts of Swagger UI within one.
const (
	streamed = "#operations-default-post_stream"
	whole    = "#operations-default-post_answer"

	summary  = " .opblock-summary-control"
	tryItOut = " .try-out__btn"
	body     = " textarea.body-param__text"
	execute  = " button.execute"
	clearIt  = " button.btn-clear"
	live     = " .live-responses-table .response"
	said     = live + " .streamed-text"
	events   = live + " .streamed-events"
)

// ask does what a person does: open the operation, try it out, fill in a body, execute.
func (b *tab) ask(operation, request string) {
	b.t.Helper()
	b.do("open the operation", chromedp.Click(chromedp.CSS(operation+summary)))
	b.do("try it out", chromedp.Click(chromedp.CSS(operation+tryItOut)))
	b.do("fill in a body",
		chromedp.Click(chromedp.CSS(operation+body)),
		chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		// As it is pasted: the page draws itself anew for each key.
		insert(request),
	)
	b.do("execute", chromedp.Click(chromedp.CSS(operation+execute)))
}

// insert replaces what is selected.
func insert(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// The model says a token only after the one before it was seen in the page, so what is seen is not a whole answer.
func TestTokensAreSeenAsTheyCome(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	b.ask(streamed, `{"question": "[[mock {\"tokens\":3}]]"}`)
	for _, sofar := range []string{"token-0", "token-0 token-1", "token-0 token-1 token-2"} {
		s.say(1)
		if got := strings.TrimSpace(b.sees(streamed+said, sofar)); got != sofar {
			t.Errorf("the page shows %q, want %q", got, sofar)
		}
	}
	b.sees(streamed+events, "data: [DONE]")
	b.sees(streamed+live, "200", "text/event-stream")
	if got := s.mock.Stats(); got.Finished != 1 {
		t.Errorf("the model's figures are %+v, want one finished answer", got)
	}
}

func TestEachFormatIsSeenAsItComes(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	for operation, last := range map[string]string{
		"#operations-default-post_text": "event: done", "#operations-default-post_json": "event: done",
		"#operations-default-post_events": "event: result",
	} {
		b.ask(operation, `{"question": "[[mock {\"tokens\":2}]]"}`)
		for _, sofar := range []string{"token-0", "token-0 token-1"} {
			s.say(1)
			if got := strings.TrimSpace(b.sees(operation+said, sofar)); got != sofar {
				t.Errorf("%s: the page shows %q, want %q", operation, got, sofar)
			}
		}
		b.sees(operation+events, last)
		b.do("close the operation", chromedp.Click(chromedp.CSS(operation+summary)))
	}
}

// What the page offers as a body and shows as an answer are real examples, and the body can be sent as it is. The title is the
// service's.
func TestExamplesAreSeen(t *testing.T) {
	s := serve(t)
	s.say(100)
	b := open(t, s.url, "/docs")
	b.sees(".info", "assistant")
	b.sees("head > title", "assistant ")
	const operation = "#operations-default-post_tickets"
	b.do("open the operation", chromedp.Click(chromedp.CSS(operation+summary)))
	b.sees(operation+" .responses-table", `"category": "billing"`, `"opened": "2026-01-31T09:30:00Z"`, `"code": "AB-345"`)
	b.sees(operation+` .responses-table tr[data-code="422"]`, `"msg": "Field required"`)
	b.sees(operation+" .body-param__example", `"customer": "ada@example.com"`, `"text": "I was charged twice."`, `"urgency": 1`)
	b.do("try it out", chromedp.Click(chromedp.CSS(operation+tryItOut)))
	b.do("execute", chromedp.Click(chromedp.CSS(operation+execute)))
	b.sees(operation+live, "200", `"category": "billing"`)
	for _, operation := range []string{"createChatCompletion", "createEmbedding", "listModels"} {
		operation = "#operations-default-" + operation
		b.do("open the operation", chromedp.Click(chromedp.CSS(operation+summary)))
		if shown := b.sees(operation + " .responses-table"); strings.Contains(shown, `"string"`) {
			t.Errorf("%s: the page shows %s, want real examples", operation, shown)
		}
	}
}

func TestParametersAreFilledIn(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	const operation = "#operations-default-get_items_id"
	b.do("open the operation", chromedp.Click(chromedp.CSS(operation+summary)))
	b.do("try it out", chromedp.Click(chromedp.CSS(operation+tryItOut)))
	b.do("replace a parameter's example",
		chromedp.Click(chromedp.CSS(operation+` tr[data-param-name="id"] input`)),
		chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		insert("7"),
	)
	b.do("execute", chromedp.Click(chromedp.CSS(operation+execute)))
	b.sees(operation+live, "200", `"item": 7`, `"lang": "en"`)
}

func TestClearEndsTheStream(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	b.ask(streamed, `{"question": "[[mock {\"tokens\":3}]]"}`)
	s.say(1)
	b.sees(streamed+said, "token-0")
	b.do("clear", chromedp.Click(chromedp.CSS(streamed+clearIt)))
	if _, err := s.mock.Await(b.ctx, func(s mockllm.Stats) bool { return s.Cancelled == 1 }); err != nil {
		t.Fatalf("the model still answers: %v", err)
	}
	b.do("see nothing", chromedp.WaitNotPresent(chromedp.CSS(streamed+live)))

	b.do("execute again", chromedp.Click(chromedp.CSS(streamed+execute)))
	s.say(3)
	b.sees(streamed+events, "token-2", "data: [DONE]")
}

func TestWholeAnswerIsSeen(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	b.ask(whole, `{"question": "[[mock {\"tokens\":2}]]"}`)
	b.sees(whole+live, "200", `"answer": "token-0 token-1"`)
}

func TestViolationsAreSeen(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/docs")
	b.ask(streamed, `{"question": "no", "answer": 42}`)
	b.sees(streamed+live, "422", "string_too_short", "at least 3 characters", "extra_forbidden")
	b.allow("status of 422")
}

func TestWhatCameStaysWhenTheConnectionBreaks(t *testing.T) {
	s := serve(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	between := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport,
	})
	t.Cleanup(func() {
		between.Close()
		transport.CloseIdleConnections()
	})
	b := open(t, between.URL, "/docs")
	b.ask(streamed, `{"question": "[[mock {\"tokens\":3}]]"}`)
	s.say(1)
	b.sees(streamed+said, "token-0")
	between.CloseClientConnections()
	b.sees(streamed+live, "network error", "token-0")
	b.allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
}
