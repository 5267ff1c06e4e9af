package streams

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/test/mockllm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/v1/chat/completions"
}

func mock(t *testing.T) (*mockllm.Server, string) {
	t.Helper()
	m := mockllm.New(mockllm.Options{})
	url := serve(t, m)
	t.Cleanup(m.Close) // before the server's: requests may hang
	return m, url
}

// TestEndings holds the judge to every way in which a stream can end: a client that took a truncated stream for a
// finished one would hide what the demo is there to show.
func TestEndings(t *testing.T) {
	for name, c := range map[string]struct {
		script mockllm.Script
		want   Ending
	}{
		"whole":                    {mockllm.Script{}, Done},
		"in pieces":                {mockllm.Script{SplitBytes: 3, CRLF: true}, Done},
		"connection breaks":        {mockllm.Script{Fault: mockllm.FaultTruncate, AfterTokens: 2}, Cut},
		"breaks within a frame":    {mockllm.Script{Fault: mockllm.FaultTruncateMidFrame, AfterTokens: 2}, Cut},
		"ends without done":        {mockllm.Script{Fault: mockllm.FaultEndEarly, AfterTokens: 2}, Cut},
		"not JSON":                 {mockllm.Script{Fault: mockllm.FaultGarbage, AfterTokens: 2}, Cut},
		"another token in between": {mockllm.Script{Fault: mockllm.FaultGiantFrame, GiantBytes: 10, AfterTokens: 2}, Cut},
		"error event":              {mockllm.Script{Fault: mockllm.FaultErrorEvent, AfterTokens: 2}, Failed},
		"refused":                  {mockllm.Script{Status: http.StatusTooManyRequests}, Refused},
		"no answer":                {mockllm.Script{Fault: mockllm.FaultCloseBeforeHeaders}, Refused},
	} {
		t.Run(name, func(t *testing.T) {
			m, url := mock(t)
			c.script.Tokens = 4
			m.FailNext(1, c.script)
			call := Script{Tokens: 4}.Chat(url, "mock")
			if got := Stream(t.Context(), NewClient(), call, nil); got.Ending != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestLostTokensAreNotDone(t *testing.T) {
	_, url := mock(t)
	call := Script{Tokens: 4}.Chat(url, "mock")
	call.Want = Script{Tokens: 5}.Text()
	if got := Stream(t.Context(), NewClient(), call, nil); got.Ending != Cut {
		t.Errorf("%s, want %s", got, Cut)
	}
}

func TestAnswerThatIsNoStreamIsRefused(t *testing.T) {
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "data: [DONE]") }))
	if got := Stream(t.Context(), NewClient(), Call{URL: url}, nil); got.Ending != Refused || got.Status != http.StatusOK {
		t.Errorf("%s with status %d, want %s with 200", got, got.Status, Refused)
	}
}

func TestTokensArriveOneByOne(t *testing.T) {
	m, url := mock(t)
	ctx, cancel := context.WithCancel(t.Context())
	call := Script{Tokens: 3, Pace: time.Hour}.Chat(url, "mock")
	got := Stream(ctx, NewClient(), call, func(text string) {
		if text != "token-0 " || m.Stats().TokensSent > 1 {
			t.Errorf("token %q came with %d tokens sent", text, m.Stats().TokensSent)
		}
		cancel()
	})
	if got.Ending != Left || got.Tokens != 1 {
		t.Errorf("%s, want %s after 1 token", got, Left)
	}
}

func TestCrowd(t *testing.T) {
	m, url := mock(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The first round lasts until it is left; so open streams are certain.
	c := Gather(ctx, NewClient(), 5, func(_, round int) Call {
		if round == 0 {
			return Script{Tokens: 2, Pace: 20 * time.Millisecond}.Chat(url, "mock")
		}
		return Script{Tokens: 50, Pace: 20 * time.Millisecond}.Chat(url, "mock")
	})
	if _, err := m.Await(ctx, func(s mockllm.Stats) bool { return s.Finished >= 5 && s.Open == 5 }); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitOpen(ctx, 5); err != nil {
		t.Fatal(err)
	}
	c.Shrink(2)
	tally, err := c.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// The upstream counts a stream after its client has read the end.
	stats, err := m.Await(ctx, func(s mockllm.Stats) bool { return s.Open == 0 })
	if err != nil {
		t.Fatal(err)
	}
	if tally.Lost() != 0 || tally.Done != stats.Finished || int64(tally.Tokens) != stats.TokensSent {
		t.Errorf("%s; the upstream says %+v", tally, stats)
	}
	if c.Open() != 0 {
		t.Errorf("%d streams are open after Finish", c.Open())
	}
}

func TestCrowdFinishHasADeadline(t *testing.T) {
	_, url := mock(t)
	c := Gather(t.Context(), NewClient(), 1, func(int, int) Call {
		return Script{Tokens: 2, Pace: time.Hour}.Chat(url, "mock")
	})
	if err := c.AwaitOpen(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tally, err := c.Finish(ctx)
	if err == nil || tally.Left != 1 {
		t.Errorf("Finish = %s, %v; want one stream left, and an error", tally, err)
	}
}

func TestTallyKeepsFewExamples(t *testing.T) {
	var tally Tally
	for range 2 * maxExamples {
		tally = tally.with(Result{Ending: Cut, Err: errShort})
	}
	if tally.Cut != 2*maxExamples || len(tally.Examples) != maxExamples {
		t.Errorf("%d cut and %d examples, want %d and %d", tally.Cut, len(tally.Examples), 2*maxExamples, maxExamples)
	}
}
