package upstream

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
)

// keysIn returns the credentials of a directory with files, and a function that replaces one.
func keysIn(t *testing.T, files map[string]string) (c *Credentials, replace func(name, value string)) {
	t.Helper()
	dir := t.TempDir()
	replace = func(name, value string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Error(err)
		}
	}
	for name, value := range files {
		replace(name, value)
	}
	return NewCredentials(dir, "/"), replace
}

// asking is a plan that asks one upstream one question.
func asking(o Options, q *Question) *Plan {
	o.Name, o.Timeouts = "one", Timeouts{Connect: patience, FirstToken: patience, Idle: patience, Total: patience}
	return &Plan{Upstreams: []*Upstream{New(o)}, Ask: func(*Upstream) (*Question, error) { return q, nil }}
}

func TestKeysAreSentWhereAuthSays(t *testing.T) {
	files := map[string]string{"key": " k&y=1 \n", "username": "gateway", "password": "pa:ss\n"}
	for name, tt := range map[string]struct {
		auth  Auth
		field string
		value []string
		query string
	}{
		"bearer": {Auth{Bearer: "key"}, "Authorization", []string{"Bearer k&y=1"}, "q=a+b"},
		"header": {Auth{Header: Value{Name: "api-key", Path: "key"}}, "Api-Key", []string{"k&y=1"}, "q=a+b"},
		"query":  {Auth{Query: Value{Name: "key", Path: "key"}}, "Authorization", nil, "key=k%26y%3D1&q=a+b"},
		// The question cannot take the key's place.
		"query of that name": {Auth{Query: Value{Name: "q", Path: "key"}}, "Authorization", nil, "q=k%26y%3D1"},
		"basic":              {Auth{Username: "username", Password: "password"}, "Authorization", []string{"Basic Z2F0ZXdheTpwYTpzcw=="}, "q=a+b"},
		"none":               {Auth{}, "Authorization", nil, "q=a+b"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := keysIn(t, files)
			question := &Question{Path: "/p?q=a+b", Header: http.Header{"Api-Key": {"another"}, "Authorization": nil}}
			plan := asking(Options{Auth: tt.auth, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: "http://a/v1"}}}}, question)
			a, failure := plan.Attempts()(t.Context(), relay.Failure{})
			if a == nil {
				t.Fatal(failure)
			}
			if diff := cmp.Diff(tt.value, a.Call.Header[tt.field]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.field, diff)
			}
			if a.Call.URL != "http://a/v1/p?"+tt.query {
				t.Errorf("the URL is %s", a.Call.URL)
			}
		})
	}
}

func TestHeadersAndQueryOfAnUpstream(t *testing.T) {
	c, _ := keysIn(t, map[string]string{"signature": "s1gned"})
	plan := asking(Options{
		Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: "http://a"}}},
		Headers: []Value{
			{Name: "x-tenant", Text: "team-a"},
			{Name: "x-signature", Path: "signature"},
			{Name: "User-Agent", Text: "ours"},
			{Name: "X-Step", Text: "upstream"},
			{Name: "X-Removed", Text: "upstream"},
		},
		Query: []Value{{Name: "api-version", Text: "2026-01-01"}, {Name: "code", Path: "signature"}, {Name: "step", Text: "upstream"}},
	}, &Question{Path: "/p?step=own&x=%2F", Header: http.Header{"X-Step": {"own"}, "X-Removed": nil}})
	a, failure := plan.Attempts()(t.Context(), relay.Failure{})
	if a == nil {
		t.Fatal(failure)
	}
	got := map[string]string{}
	for _, name := range []string{"X-Tenant", "X-Signature", "User-Agent", "X-Step", "X-Removed"} {
		got[name] = a.Call.Header.Get(name)
	}
	want := map[string]string{"X-Tenant": "team-a", "X-Signature": "s1gned", "User-Agent": "ours", "X-Step": "own", "X-Removed": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if want := "http://a/p?api-version=2026-01-01&code=s1gned&step=own&x=%2F"; a.Call.URL != want {
		t.Errorf("the URL is %s, want %s", a.Call.URL, want)
	}
}

// An upstream that lacks a value is not asked without it.
func TestWhatCannotBeReadIsNotLeftOut(t *testing.T) {
	c, _ := keysIn(t, map[string]string{"lines": "a\nb", "control": "a\x01b", "colon": "a:b", "password": "p"})
	for name, o := range map[string]Options{
		"a header":      {Headers: []Value{{Name: "X-A", Path: "absent"}}},
		"a parameter":   {Query: []Value{{Name: "a", Path: "absent"}}},
		"a header key":  {Auth: Auth{Header: Value{Name: "api-key", Path: "absent"}}},
		"a query key":   {Auth: Auth{Query: Value{Name: "key", Path: "lines"}}},
		"control":       {Auth: Auth{Header: Value{Name: "api-key", Path: "control"}}},
		"a username":    {Auth: Auth{Username: "absent", Password: "password"}},
		"a colon in it": {Auth: Auth{Username: "colon", Password: "password"}},
	} {
		o.Credentials, o.Endpoints = c, Members{{Endpoint: &Endpoint{URL: "http://a"}}}
		a, failure := asking(o, &Question{Path: "/"}).Attempts()(t.Context(), relay.Failure{})
		if a != nil || failure.Kind != relay.FailedCredential || strings.Contains(failure.Error(), "a:b") {
			t.Errorf("%s: attempt %v, failure %v", name, a != nil, failure)
		}
	}
}

// doorman is a server that knows one key.
type doorman struct {
	mu      sync.Mutex
	key     string
	refusal int
	asked   int
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked++; r.Header.Get("Api-Key") != d.key {
		w.WriteHeader(d.refusal)
		return
	}
	_, _ = w.Write([]byte("{}"))
}

// A key that was read a moment ago may have been replaced since, so that the upstream does not accept it any more; no request
// fails.
func TestARotatedKeyFailsNoRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		refusal       int
		rotated, once bool
		want          int // requests
		ok            bool
	}{
		"rotated":                             {refusal: 401, rotated: true, want: 2, ok: true},
		"rotated, another answer":             {refusal: 403, rotated: true, want: 2, ok: true},
		"rotated, and not to be sent twice":   {refusal: 401, rotated: true, once: true, want: 2, ok: true},
		"perhaps done, not to be done twice":  {refusal: 403, rotated: true, once: true, want: 1},
		"the key is wrong":                    {refusal: 401, want: 1},
		"a failure that is not about the key": {refusal: 404, rotated: true, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := &doorman{key: "old", refusal: tt.refusal}
			server := httptest.NewServer(d)
			defer server.Close()
			client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
			defer client.Close()
			c, replace := keysIn(t, map[string]string{"key": "old"})
			plan := asking(Options{
				Auth: Auth{Header: Value{Name: "api-key", Path: "key"}}, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: server.URL}}},
			}, &Question{Path: "/"})
			plan.Once = tt.once
			if _, err := Fetch(t.Context(), client, plan.Attempts(), Expect{}, nil); err != nil {
				t.Fatal(err)
			}
			d.mu.Lock()
			d.key, d.asked = "new", 0
			d.mu.Unlock()
			if tt.rotated {
				replace("key", "new")
			}
			age(c, "key", refusedTTL)
			_, err := Fetch(t.Context(), client, plan.Attempts(), Expect{}, nil)
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.asked != tt.want || (err == nil) != tt.ok {
				t.Errorf("%d requests, %v", d.asked, err)
			}
		})
	}
}

// age makes the content that was read of a file older.
func age(c *Credentials, path string, by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := c.all[path]
	cached.read = cached.read.Add(-by)
	c.all[path] = cached
}

// A rotation under load fails no request, although the upstream accepts only one key at any time.
func TestTwentyAtOnceWhileAKeyRotates(t *testing.T) {
	d := &doorman{key: "key-0", refusal: 401}
	server := httptest.NewServer(d)
	defer server.Close()
	client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer client.Close()
	c, replace := keysIn(t, map[string]string{"key": "key-0"})
	plan := asking(Options{
		Auth: Auth{Header: Value{Name: "api-key", Path: "key"}}, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: server.URL}}},
	}, &Question{Path: "/"})
	for i := range 5 {
		d.mu.Lock()
		d.key = fmt.Sprintf("key-%d", i)
		replace("key", d.key)
		d.mu.Unlock()
		age(c, "key", refusedTTL)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := Fetch(t.Context(), client, plan.Attempts(), Expect{}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// No error has a URL that contains a key, or a header.
func TestKeysAreInNoError(t *testing.T) {
	const canary = "canary-0b5c9d"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	}))
	defer echo.Close()
	client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer client.Close()
	c, _ := keysIn(t, map[string]string{"key": canary})
	for _, url := range []string{"http://" + closed, echo.URL, "https://" + strings.TrimPrefix(echo.URL, "http://"), "http://no such host", "http://host.invalid"} {
		for _, auth := range []Auth{{Query: Value{Name: "key", Path: "key"}}, {Header: Value{Name: "x key", Path: "key"}}} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			plan := asking(Options{Auth: auth, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: url}}}}, &Question{Path: "/p"})
			_, err := Fetch(ctx, client, plan.Attempts(), Expect{}, nil)
			cancel()
			if err == nil {
				t.Fatalf("%s: no failure", url)
			}
			f := relay.FailureOf(ctx, err, "")
			for _, text := range []string{f.Error(), fmt.Sprint(f.Err), Problem(f).Error(), Told(f).Error()} {
				if strings.Contains(text, canary) {
					t.Errorf("%s: %s", url, text)
				}
			}
		}
	}
}
