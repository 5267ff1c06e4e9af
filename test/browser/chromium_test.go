// Package browser_test opens the gateway's pages in a real browser and does there what a person does.
package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/test/needs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a test; nothing depends on how long it takes.
const patience = 90 * time.Second

// programs are the names of Chromium: Debian's package of the browser without a window, then those of whole browsers.
var programs = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}

// chromium finds the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	needs.Missing(t, "browser", fmt.Sprintf("there is none of %s here: run `make browser-deps`", strings.Join(programs, ", ")))
	return ""
}

// tab is a page in a browser of its own, and what went wrong in it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu       sync.Mutex
	requests []string
	errors   []string
}

// open shows the page of a service at base. At the end of the test nothing may have been asked of another origin.
func open(t *testing.T, base, page string) *tab {
	t.Helper()
	// The browser outlives the test's deadline, so that it can be ended properly.
	ctx, stop := chromedp.NewContext(context.WithoutCancel(t.Context()), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(chromium(t)),
		// The sandbox wants rights that containers rarely have, and the pages are our own.
		chromedp.NoSandbox,
		chromedp.WindowSize(1280, 2000),
		// Nothing that a page, or the browser itself, might look for can be found.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	), chromedp.WithErrorf(t.Logf))
	t.Cleanup(stop)
	b := &tab{t: t, origin: base}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("end the browser: %v", err)
		}
		b.check()
	})
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("watch the network: %v", err)
	}
	b.do("open "+page, chromedp.Navigate(base+page))
	return b
}

// note is called for each event of the page.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			b.errors = append(b.errors, "console: "+arguments(e.Args))
		}
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, "exception: "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.errors = append(b.errors, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

func arguments(args []*runtime.RemoteObject) string {
	var texts []string
	for _, a := range args {
		texts = append(texts, string(a.Value)+a.Description)
	}
	return strings.Join(texts, " ")
}

// check reports what a page may not do.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		b.t.Error("no request was seen: the browser was not watched")
	}
	for _, address := range b.requests {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "data" && !strings.HasPrefix(address, b.origin+"/") && !strings.HasPrefix(address, "blob:"+b.origin+"/") {
			b.t.Errorf("the page asked another origin: %.200s", address)
		}
	}
	for _, e := range b.errors {
		b.t.Errorf("the page reports: %s", e)
	}
}

// allow forgets the errors with the text, of which there has to be one.
func (b *tab) allow(text string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.errors)
	b.errors = slices.DeleteFunc(b.errors, func(e string) bool { return strings.Contains(e, text) })
	if len(b.errors) == before {
		b.t.Errorf("no error of the page says %q", text)
	}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// sees waits until the text of what the selector finds has all of the words, and returns the text.
func (b *tab) sees(selector string, words ...string) string {
	b.t.Helper()
	for last := ""; ; time.Sleep(10 * time.Millisecond) {
		text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
			fmt.Sprintf(`Array.from(document.querySelectorAll(%q), (e) => e.innerText).join("\n")`, selector)))
		if err != nil {
			b.t.Fatalf("see %q in %s: %v; last seen was %q", words, selector, err, last)
		}
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			return text
		}
		last = text
	}
}
