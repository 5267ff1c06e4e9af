package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

func TestReDocShowsOperationsAndSchemas(t *testing.T) {
	s := serve(t)
	b := open(t, s.url, "/redoc")
	b.sees("head > title", "assistant ")
	b.sees(".menu-content", "Answer as it comes", "Answer at once", "Create a chat completion")
	b.sees(".api-content", "assistant", "question", "What you want to know.", "string >= 3 characters", "/stream", "422")
	b.sees(".api-content", "Find an item", "lang", `Default: "en"`, "/items/{id}")
	b.do("search", chromedp.SendKeys(chromedp.CSS(".menu-content input"), "comes"))
	b.sees(`[data-role="search:results"]`, "Answer as it comes")
}
