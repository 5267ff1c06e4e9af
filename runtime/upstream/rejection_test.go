package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// taken is a body that the attempts read in turns: the first may still do so when the second begins.
type taken struct {
	io.Reader

	turn chan struct{} // unlike a mutex, it lets virtual time pass
}

func (b *taken) Read(p []byte) (int, error) {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	return b.Reader.Read(p)
}

// refusing makes an attempt of each kind at an upstream that gives this answer, and returns how much of the answer was read.
func refusing(t *testing.T, status int, h http.Header, body io.Reader, explain bool) (failures [2]relay.Failure, read []string) {
	t.Helper()
	shared := &taken{Reader: body, turn: make(chan struct{}, 1)}
	client := clientFunc(func(ctx context.Context, _ *Call) (*Answer, error) {
		from, to := io.Pipe()
		context.AfterFunc(ctx, func() { _ = from.CloseWithError(context.Cause(ctx)) })
		go func() {
			_, err := io.Copy(to, shared)
			_ = to.CloseWithError(err)
		}()
		return &Answer{Status: status, Header: h, Body: from, Length: -1}, nil
	})
	memory := &strict{}
	t.Cleanup(func() {
		if memory.held != 0 {
			t.Errorf("%d bytes are still reserved", memory.held)
		}
	})
	once := func(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		if after.Kind != relay.NoFailure {
			return nil, after
		}
		a := &Attempt{Call: &Call{}, FirstToken: patience, Idle: patience, Total: patience, Memory: memory}
		if explain {
			a.Explain = func(body []byte) *problem.Said {
				read = append(read, string(body))
				return &problem.Said{Message: "told"}
			}
		}
		return a, after
	}
	_, err := Fetch(t.Context(), client, once, Expect{}, nil)
	failures[0], failures[1] = failureIn(err), failureIn(Stream(t.Context(), client, tapped(once, letterTap{}), &run{}, nil))
	return failures, read
}

// The body is read only if it says that the request was wrong, and only if its sender may read it.
func TestWhatRefusesTheRequestIsRead(t *testing.T) {
	for _, status := range []int{400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 418, 422, 429, 500, 502, 503, 529, 302} {
		for _, explain := range []bool{true, false} {
			failures, read := refusing(t, status, nil, strings.NewReader(""), explain)
			want := explain && slices.Contains([]int{400, 404, 413, 422}, status)
			for _, f := range failures {
				if f.Kind != relay.FailedStatus || f.Status != status || (f.Said != nil) != want || len(read) > 0 != want {
					t.Errorf("%d, %v: %+v, read %q", status, explain, f, read)
				}
				told, ours := Told(f), Problem(f)
				if got := string(problem.OpenAI.Reply(told).Body); strings.Contains(got, `"told"`) != want || want && problem.OpenAI.Reply(told).Status != status {
					t.Errorf("%d, %v: told %s", status, explain, got)
				}
				if got := string(problem.OpenAI.Reply(ours).Body) + string(problem.FastAPI.Reply(told).Body); strings.Contains(got, "told") {
					t.Errorf("%d, %v: others are told %s", status, explain, got)
				}
			}
		}
	}
}

// A body that is too long, coded or incomplete explains nothing; a failure's text never does.
func TestWhatIsReadOfARefusalIsBounded(t *testing.T) {
	most := strings.Repeat("x", maxExplanation)
	broken := func() io.Reader { return io.MultiReader(strings.NewReader("part"), errReader{}) }
	for name, tt := range map[string]struct {
		header http.Header
		body   func() io.Reader
		want   string
	}{
		"as much as may be": {nil, func() io.Reader { return &endless{left: maxExplanation} }, most},
		"more":              {nil, func() io.Reader { return &endless{left: maxExplanation + 1} }, ""},
		"no end":            {nil, func() io.Reader { return &endless{left: 1 << 40} }, ""},
		"coded":             {http.Header{"Content-Encoding": {"gzip"}}, func() io.Reader { return strings.NewReader("x") }, ""},
		"broken":            {nil, broken, ""},
	} {
		failures, read := refusing(t, 400, tt.header, tt.body(), true)
		if read[0] != tt.want {
			t.Errorf("%s: read %d bytes", name, len(read[0]))
		}
		for _, f := range failures {
			if f.Said == nil || strings.Contains(f.Error(), "told") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// If the body does not come, that takes no longer than the attempt may.
func TestARefusalsBodyIsWaitedForWithinTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		from, to := io.Pipe()
		defer func() { _ = to.Close() }()
		failures, read := refusing(t, 404, nil, from, true)
		if len(read) != 2 || read[0] != "" || time.Since(began) != 2*patience {
			t.Errorf("read %q after %s", read, time.Since(began))
		}
		for _, f := range failures {
			if f.Kind != relay.FailedStatus || f.Status != 404 {
				t.Errorf("%+v", f)
			}
		}
	})
}

// strict admits as much as the longest explanation may need, and no more.
type strict struct{ held int }

func (s *strict) Reserve(_ context.Context, bytes int) error {
	if s.held+bytes > (relay.Copies+explainedCopies)*(maxExplanation+1)+relay.Copies {
		return relay.Failure{Kind: relay.FailedMemory}
	}
	s.held += bytes
	return nil
}

func (s *strict) Return(bytes int) { s.held -= bytes }

func (s *strict) Branch(int) {}

// If there is no room for it, the upstream's words are not passed on, but its status is.
func TestARefusalWithoutMemoryIsToldAsOurs(t *testing.T) {
	var read [][]byte
	a := &Attempt{Memory: full{}, Explain: func(body []byte) *problem.Said {
		read = append(read, body)
		return &problem.Said{}
	}}
	f := rejected(t.Context(), a, &Answer{Status: 413, Body: io.NopCloser(strings.NewReader("x"))})
	if told := Told(f); told.Status != 413 || len(read) != 1 || read[0] != nil {
		t.Errorf("%+v, read %q", told, read)
	}
}

type full struct{}

func (full) Reserve(context.Context, int) error { return relay.Failure{Kind: relay.FailedMemory} }
func (full) Return(int)                         {}
func (full) Branch(int)                         {}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return copy(p, strings.Repeat("x", n)), nil
}

// Values that were rotated may still be in use.
func TestKnownCredentials(t *testing.T) {
	c := NewCredentials(t.TempDir(), "/")
	for _, s := range []cachedSecret{{value: "one"}, {value: "one"}, {err: errors.New("gone")}, {value: "two"}, {value: "three"}} {
		s.before = c.all["a"].replacedBy(s.value)
		c.all["a"] = s
	}
	if got := c.Known(); !slices.Equal(got, []string{"three", "two"}) {
		t.Errorf("%q", got)
	}
	c.all["a"] = cachedSecret{err: errors.New("gone"), before: c.all["a"].replacedBy("")}
	if got := c.Known(); !slices.Equal(got, []string{"three"}) {
		t.Errorf("%q once it cannot be read", got)
	}
}
