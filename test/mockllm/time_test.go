package mockllm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/wire"
)

// arrivals reads a stream and returns when each event came, since the call.
func arrivals(t *testing.T, body io.Reader, pause func(event int)) []time.Duration {
	t.Helper()
	begin, p, buf := time.Now(), wire.NewParser(1<<20), make([]byte, 4096)
	var out []time.Duration
	for {
		n, err := body.Read(buf)
		if err := p.Write(buf[:n]); err != nil {
			t.Fatal(err)
		}
		for _, ok := p.Next(); ok; _, ok = p.Next() {
			out = append(out, time.Since(begin))
			pause(len(out))
		}
		if err != nil {
			return out
		}
	}
}

func TestPacing(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		pause func(event int)
		want  []time.Duration // role, four tokens, finish, done
	}{
		"even": {func(int) {}, []time.Duration{0, 500 * ms, 520 * ms, 540 * ms, 560 * ms, 560 * ms, 560 * ms}},
		"catches up with a reader that was slow": {
			func(event int) {
				if event == 2 {
					time.Sleep(30 * ms)
				}
			},
			[]time.Duration{0, 500 * ms, 530 * ms, 540 * ms, 560 * ms, 560 * ms, 560 * ms},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client, stop := startPipe(t)
				defer stop()
				resp, err := post(t, client, "http://mock", streamed, `{"tokens":4,"firstTokenDelay":"500ms","tokenDelay":"20ms"}`)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if diff := cmp.Diff(tt.want, arrivals(t, resp.Body, tt.pause)); diff != "" {
					t.Errorf("arrivals (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWholeTakesAsLongAsItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, stop := startPipe(t)
		defer stop()
		begin := time.Now()
		get(t, client, "http://mock", whole, `{"tokens":11,"firstTokenDelay":"1s","tokenDelay":"100ms"}`)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
	})
}

// TestClientLeaves: in every state in which a reply can be, its handler ends
// at the moment the client goes.
func TestClientLeaves(t *testing.T) {
	tests := map[string]struct{ body, script string }{
		"silent before headers":     {streamed, `{"fault":"HangBeforeHeaders"}`},
		"silent before first token": {streamed, `{"fault":"Silence"}`},
		"silent after some":         {streamed, `{"fault":"Silence","afterTokens":3}`},
		"silent after all":          {streamed, `{"fault":"Silence","afterTokens":16}`},
		"before first token":        {streamed, `{"firstTokenDelay":"1h"}`},
		"between tokens":            {streamed, `{"tokenDelay":"1h"}`},
		"whole, silent":             {whole, `{"fault":"HangBeforeHeaders"}`},
		"whole, silent half-way":    {whole, `{"fault":"Silence"}`},
		"whole, not yet due":        {whole, `{"firstTokenDelay":"1h"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mock, client, stop := startPipe(t)
				defer stop()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				resp, err := postContext(ctx, client, "http://mock", tt.body, tt.script)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("got %v, want to have waited in vain", err)
				}
				synctest.Wait()
				if s := mock.Stats(); s.Cancelled != 1 || s.Open != 0 {
					t.Errorf("figures %+v, want one cancelled", s)
				}
			})
		})
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock, client, stop := startPipe(t)
		defer stop()
		resp, err := post(t, client, "http://mock", streamed, `{"fault":"Silence"}`)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		mock.Close()
		if s := mock.Stats(); s.Failed != 1 || s.Open != 0 {
			t.Errorf("figures after Close: %+v, want one failed", s)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("a reply that Close ended looks complete")
		}
		if got := get(t, client, "http://mock", whole, ""); got.status != http.StatusServiceUnavailable {
			t.Errorf("status after Close %d, want 503", got.status)
		}
	})
}

// A pipe holds no bytes, so a client that does not read stops the handler in
// the middle of a Write.
func TestCloseFreesAStuckWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock, client, stop := startPipe(t)
		defer stop()
		resp, err := post(t, client, "http://mock", streamed, `{"fault":"GiantFrame"}`)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		synctest.Wait() // until the handler is stuck
		if s := mock.Stats(); s.Open != 1 {
			t.Fatalf("figures %+v, want one open", s)
		}
		mock.Close()
		if s := mock.Stats(); s.Open != 0 || s.Failed != 1 {
			t.Errorf("figures after Close: %+v, want one failed", s)
		}
	})
}

func TestAwaitGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := New(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := mock.Await(ctx, func(s Stats) bool { return s.Opened > 0 }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await = %v, want DeadlineExceeded", err)
		}
	})
}
