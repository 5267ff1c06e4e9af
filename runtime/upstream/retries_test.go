package upstream

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
)

// script gives answers one after the other, the last one again and again, and records when and where requests came.
type script struct {
	ends  []relay.Failure
	began time.Time
	at    []time.Duration
	calls []*Call
}

func (s *script) Do(_ context.Context, c *Call) (*Answer, error) {
	f := s.ends[min(len(s.at), len(s.ends)-1)]
	s.at, s.calls = append(s.at, time.Since(s.began)), append(s.calls, c)
	switch f.Kind {
	case relay.NoFailure:
		return &Answer{Status: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	case relay.FailedStatus:
		header := http.Header{}
		if f.RetryAfter > 0 {
			header.Set("Retry-After", f.RetryAfter.String()[:1])
		}
		return &Answer{Status: f.Status, Header: header, Body: io.NopCloser(strings.NewReader(""))}, nil
	default:
		return nil, f
	}
}

// asked is an upstream of endpoints a, b and so on, asked once for a whole answer.
func (s *script) asked(ctx context.Context, r Retries, endpoints int, once bool) error {
	var members Members
	for i := range endpoints {
		members = append(members, Member{Endpoint: &Endpoint{URL: "http://" + string(rune('a'+i))}})
	}
	o := Options{Retries: r, Timeouts: Timeouts{Total: time.Minute}, Endpoints: members}
	p := &Plan{Upstreams: []*Upstream{New(o)}, Once: once, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil }}
	s.began = time.Now()
	_, err := Fetch(ctx, s, p.Attempts(), Expect{}, nil)
	return err
}

// Each failure is retried under its condition alone; a request that must not arrive twice only under Connect, unless the
// settings say otherwise.
func TestConditionsOfRetries(t *testing.T) {
	reset := relay.Failure{Kind: relay.FailedConnect}
	for condition, failures := range map[string][]relay.Failure{
		config.RetryConnect: {
			refused, {Kind: relay.FailedAddress, Unsent: true}, {Kind: relay.FailedDial, Unsent: true}, {Kind: relay.FailedHeader, Unsent: true},
		},
		config.RetryReset:           {reset, {Kind: relay.FailedTruncated}},
		config.RetryTooManyRequests: {{Kind: relay.FailedStatus, Status: 429}},
		config.RetryServerError:     {broken500, {Kind: relay.FailedStatus, Status: 503}, {Kind: relay.FailedMalformed}, {Kind: relay.FailedEvent}},
		config.RetryTimeout:         {{Kind: relay.FailedHeader}, {Kind: relay.FailedFirstToken}, {Kind: relay.FailedTotal}, {Kind: relay.FailedIdle}},
		"":                          {{Kind: relay.FailedStatus, Status: 404}, {Kind: relay.FailedClient}, {Kind: relay.FailedTooLarge}},
	} {
		for _, f := range failures {
			for _, on := range []string{"", config.RetryConnect, config.RetryReset, config.RetryTooManyRequests, config.RetryServerError, config.RetryTimeout} {
				for _, once := range []bool{false, true} {
					s := &script{ends: []relay.Failure{f, good}}
					var r Retries
					want := condition == on
					if on != "" {
						r.On = []string{on}
					} else {
						want = condition == config.RetryConnect || condition != "" && !once
					}
					want = want && condition != ""
					if err := s.asked(t.Context(), r, 2, once); (len(s.at) == 2) != want || (err == nil) != want {
						t.Errorf("%q on %q, once %v: %d calls, %v", f.Kind, on, once, len(s.at), err)
					}
				}
			}
		}
	}
}

// Another endpoint is asked at once. The same one is asked again after a pause that grows and is partly random, or that it
// asked for, and not at all if that is longer than allowed.
func TestPausesOfRetries(t *testing.T) {
	later := func(d time.Duration) relay.Failure {
		return relay.Failure{Kind: relay.FailedStatus, Status: 429, RetryAfter: d}
	}
	r := Retries{Attempts: 4, First: time.Second, Max: 3 * time.Second}
	for name, tt := range map[string]struct {
		ends      []relay.Failure
		endpoints int
		retries   Retries
		deadline  time.Duration
		most      []time.Duration // since the call before; at least half of each, or all of the time that was asked for
		exact     bool
		err       bool
	}{
		"one endpoint":         {[]relay.Failure{broken500}, 1, r, 0, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, false, true},
		"two endpoints":        {[]relay.Failure{broken500}, 2, r, 0, []time.Duration{0, 0, time.Second, 0}, false, true},
		"as asked for":         {[]relay.Failure{later(2 * time.Second), good}, 1, r, 0, []time.Duration{0, 2 * time.Second}, true, false},
		"a longer wait":        {[]relay.Failure{later(4 * time.Second), good}, 1, r, 0, []time.Duration{0}, true, true},
		"within the deadline":  {[]relay.Failure{later(2 * time.Second), good}, 1, r, 2 * time.Second, []time.Duration{0}, true, true},
		"another never asked":  {[]relay.Failure{later(4 * time.Second), good}, 2, r, 0, []time.Duration{0, 0}, true, false},
		"once by default":      {[]relay.Failure{broken500}, 1, Retries{}, 0, []time.Duration{0}, true, true},
		"fewer than endpoints": {[]relay.Failure{broken500}, 3, Retries{Attempts: 2}, 0, []time.Duration{0, 0}, true, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if tt.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.deadline)
				defer cancel()
			}
			s := &script{ends: tt.ends}
			if err := s.asked(ctx, tt.retries, tt.endpoints, false); (err != nil) != tt.err {
				t.Errorf("%s: %v", name, err)
			}
			if len(s.at) != len(tt.most) {
				t.Fatalf("%s: calls at %v", name, s.at)
			}
			for i, most := range tt.most {
				pause := s.at[i]
				if i > 0 {
					pause -= s.at[i-1]
				}
				if pause > most || pause < most/2 || tt.exact && pause != most {
					t.Errorf("%s: a pause of %s, want %s", name, pause, most)
				}
			}
		})
	}
}

// ailing answers after a second: with 500 at first, and then with success. It counts the open calls.
type ailing struct {
	mu         sync.Mutex
	seen       map[string]int // by request
	open, most int            // retries
}

func (a *ailing) Do(_ context.Context, c *Call) (*Answer, error) {
	a.mu.Lock()
	a.seen[string(c.Body.Joined())]++
	status := http.StatusOK
	if a.seen[string(c.Body.Joined())] == 1 {
		status = http.StatusInternalServerError
	} else {
		a.open++
		a.most = max(a.most, a.open)
	}
	a.mu.Unlock()
	time.Sleep(time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	if status == http.StatusOK {
		a.open--
	}
	return &Answer{Status: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// Few of the open calls are retries, no matter how many fail at once. The others wait for their turn, but not for long.
func TestBudgetOfRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		requests, well int // calls that fail once, and calls that stay open
		percent        int
		most           int
		fails          bool // some do
	}{
		"few calls":            {3, 0, 0, 3, false},
		"the least at a time":  {10, 0, 0, 3, false},
		"a fifth":              {20, 100, 0, 24, false},
		"a share":              {100, 100, 50, 100, false},
		"more than may be":     {100, 0, 0, 20, true},
		"as many as there are": {10, 0, 100, 10, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := New(Options{
				Endpoints: Members{{Endpoint: &Endpoint{URL: "http://a"}}, {Endpoint: &Endpoint{URL: "http://b"}}},
				Timeouts:  Timeouts{Total: time.Minute}, Retries: Retries{BudgetPercent: tt.percent},
			})
			for range tt.well {
				u.balancer.pool.mu.Lock()
				u.balancer.pool.take(u.balancer.set.Members()[0].Endpoint)
				u.balancer.pool.mu.Unlock()
			}
			a := &ailing{seen: map[string]int{}}
			var mu sync.Mutex
			failed := 0
			var clients sync.WaitGroup
			for i := range tt.requests {
				clients.Go(func() {
					p := &Plan{Upstreams: []*Upstream{u}, Ask: func(*Upstream) (*Question, error) {
						return &Question{Body: pieces.Text{[]byte{byte(i)}}}, nil
					}}
					_, err := Fetch(t.Context(), a, p.Attempts(), Expect{}, nil)
					if f := relay.FailureOf(t.Context(), err, ""); err != nil && f.Status != 500 {
						t.Errorf("%s: %v, want what the upstream said", name, f)
					}
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed++
					}
				})
			}
			clients.Wait()
			if a.most > tt.most || a.most < leastRetries || failed > 0 != tt.fails {
				t.Errorf("%s: %d retries at once, want %d; %d requests failed", name, a.most, tt.most, failed)
			}
			pool := u.balancer.pool
			counted := []int{pool.retries, pool.retrying.Len(), int(pool.retriesRefused), int(pool.retriesMade)}
			if diff := cmp.Diff([]int{0, 0, failed, tt.requests - failed}, counted); diff != "" {
				t.Errorf("%s: what is left: %s", name, diff)
			}
		})
	}
}

// If a client leaves while its retry waits, nothing else is affected.
func TestAClientLeavesARetryThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := &Pool{}, (&Retries{}).orDefaults()
		for range leastRetries {
			if !p.retry(t.Context(), &r, time.Minute) {
				t.Fatal("no room")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p.retry(ctx, &r, time.Minute) || p.retrying.Len() != 0 {
			t.Error("it waits on")
		}
		p.retryEnded()
		if !p.retry(t.Context(), &r, 0) {
			t.Error("its place is taken")
		}
	})
}

// A retry that waits for the budget goes on when there are more open calls.
func TestTheBudgetGrowsWithTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, r := &Pool{}, (&Retries{}).orDefaults()
		for range leastRetries {
			p.retry(t.Context(), &r, 0)
		}
		allowed := make(chan bool)
		go func() { allowed <- p.retry(t.Context(), &r, time.Minute) }()
		synctest.Wait()
		p.mu.Lock()
		for range 20 {
			p.take(&Endpoint{})
		}
		p.mu.Unlock()
		began := time.Now()
		if !<-allowed || time.Since(began) > 0 {
			t.Error("it waits on")
		}
	})
}
