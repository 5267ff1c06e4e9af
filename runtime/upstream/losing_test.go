package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
)

// fleet is a client of three hosts, of which a may fail. Each answer takes 50 ms and repeats the request.
type fleet struct {
	fails func(ctx context.Context) (*Answer, error) // nil while a is well
	began time.Time

	mu     sync.Mutex
	served map[string]int // whole answers, by request
	late   map[string]int // calls after the first second, by host
}

func (f *fleet) Do(ctx context.Context, c *Call) (*Answer, error) {
	at, _ := url.Parse(c.URL)
	f.mu.Lock()
	if time.Since(f.began) >= time.Second {
		f.late[at.Host]++
	}
	f.mu.Unlock()
	if at.Host == "a" && f.fails != nil {
		return f.fails(ctx)
	}
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.served[string(c.Body.Joined())]++
	return &Answer{Status: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c.Body.Joined())))}, nil
}

// under calls the upstream from 10 clients at once for half a minute, and returns how many requests failed.
func (f *fleet) under(t *testing.T, o Options, once bool) (failed, all int) {
	t.Helper()
	o.Timeouts = Timeouts{Connect: 300 * time.Millisecond, Total: 500 * time.Millisecond}
	o.Endpoints = Members{{Endpoint: &Endpoint{URL: "http://a"}}, {Endpoint: &Endpoint{URL: "http://b"}}, {Endpoint: &Endpoint{URL: "http://c"}}}
	u := New(o)
	f.began, f.served, f.late = time.Now(), map[string]int{}, map[string]int{}
	var clients sync.WaitGroup
	for i := range 10 {
		clients.Go(func() {
			for n := 0; time.Since(f.began) < 30*time.Second; n++ {
				body := fmt.Sprint(i, " ", n)
				plan := &Plan{Upstreams: []*Upstream{u}, Once: once, Ask: func(*Upstream) (*Question, error) {
					return &Question{Body: pieces.Text{[]byte(body)}}, nil
				}}
				got, err := Fetch(t.Context(), f, plan.Attempts(), Expect{}, nil)
				f.mu.Lock()
				all++
				if err != nil || string(got.Body) != body {
					failed++
				}
				f.mu.Unlock()
			}
		})
	}
	clients.Wait()
	return failed, all
}

// A pool that loses one of three endpoints causes no errors for callers, answers no request twice, and soon stops asking the
// lost one: after the first second it gets at most one call in a hundred.
func TestAPoolLosesAnEndpoint(t *testing.T) {
	answer := func(status int, body io.Reader) (*Answer, error) {
		return &Answer{Status: status, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	}
	for name, tt := range map[string]struct {
		fails func(ctx context.Context) (*Answer, error)
		once  bool // requests that must not be repeated, too
	}{
		"refuses connections": {func(context.Context) (*Answer, error) {
			return nil, relay.Failure{Kind: relay.FailedConnect, Unsent: true}
		}, true},
		"lets nobody connect": {func(ctx context.Context) (*Answer, error) {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
			}
			return nil, relay.Failure{Kind: relay.FailedConnect, Unsent: true}
		}, true},
		"answers 500 at once": {func(context.Context) (*Answer, error) { return answer(500, strings.NewReader("")) }, false},
		"answers nothing": {func(ctx context.Context) (*Answer, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, false},
		"cuts its answers": {func(context.Context) (*Answer, error) {
			return answer(200, io.MultiReader(strings.NewReader("half"), cut{}))
		}, false},
	} {
		for _, way := range []string{config.LeastInFlight, config.RoundRobin} {
			for _, once := range []bool{false, tt.once} {
				synctest.Test(t, func(t *testing.T) {
					f := &fleet{fails: tt.fails}
					failed, all := f.under(t, Options{LoadBalancing: way}, once)
					if failed > 0 || all < 10*30*10 {
						t.Errorf("%s, %s: %d of %d requests failed", name, way, failed, all)
					}
					for request, n := range f.served {
						if n != 1 {
							t.Errorf("%s, %s: request %s was answered %d times", name, way, request, n)
						}
					}
					calls := f.late["a"] + f.late["b"] + f.late["c"]
					if 100*f.late["a"] > calls || f.late["a"] == 0 {
						t.Errorf("%s, %s: the lost endpoint got %d of %d calls after the first second", name, way, f.late["a"], calls)
					}
				})
			}
		}
	}
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, errors.New("cut") }
