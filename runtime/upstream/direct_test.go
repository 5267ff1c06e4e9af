package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream/http1"
)

func TestKinds(t *testing.T) {
	for text, want := range map[string]bool{"own": true, "nethttp": true, "": false, "fasthttp": false} {
		var k Kind
		if err := k.UnmarshalText([]byte(text)); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
		if got, _ := k.MarshalText(); want && string(got) != text {
			t.Errorf("%q: %q", text, got)
		}
	}
	for kind, want := range map[Kind]bool{"": DefaultKind == Own, Own: true, NetHTTP: false} {
		if got := NewClient(addresses.Rules{}, egress.Proxy{}, kind).direct != nil; got != want {
			t.Errorf("%q: a client of our own: %v", kind, got)
		}
	}
}

// A server that speaks HTTP/2 is net/http's, with the connection that has shown it, until it is asked again.
func TestServersOfHTTP2AreRemembered(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	c := dialer{tls: &tls.Config{InsecureSkipVerify: true}}.client(Own)
	defer c.Close()
	call := func() string {
		answer, err := c.Do(t.Context(), &Call{Method: "GET", URL: s.URL, Header: http.Header{}, Connect: patience})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil {
			t.Error(err)
		}
		return string(body)
	}
	for range 3 {
		if got := call(); got != "HTTP/2.0" {
			t.Errorf("%s", got)
		}
	}
	if n := connections.Load(); n != 1 || len(c.direct.other) != 1 {
		t.Errorf("%d connections for three calls; %d servers are remembered", n, len(c.direct.other))
	}
	for at := range c.direct.other {
		c.direct.other[at] = time.Now().Add(-otherFor - time.Second)
	}
	if got := call(); got != "HTTP/2.0" {
		t.Errorf("%s", got)
	}
	for _, since := range c.direct.other {
		if time.Since(since) > otherFor {
			t.Error("it was not asked again")
		}
	}
	for i := range maxOthers {
		c.direct.remember(origin{https: true, host: string(rune('a' + i))})
	}
	if n := len(c.direct.other); n > maxOthers {
		t.Errorf("%d servers are remembered", n)
	}
}

// Calls that http1 cannot make as they are meant are net/http's.
func TestCallsOfNetHTTP(t *testing.T) {
	d := newDirect(dialer{})
	for url, want := range map[string]bool{
		"http://h/a?b": true, "https://h:1": true, "http://127.0.0.1/": true, "http://[::1]:80/": true,
		"http://[fe80::1%25lo]/": false, "http://bücher.example/": false, "ftp://h/": false, "http:///a": false, "h": false,
		"http://h/?a b": false, "http://h/\x7f": false,
	} {
		if _, _, ok := d.requestOf(&Call{URL: url}); ok != want {
			t.Errorf("%s: %v", url, ok)
		}
	}
}

func TestOrigins(t *testing.T) {
	secure := &Secure{}
	pinned := netip.MustParseAddr("fd00::1")
	for url, want := range map[string][2]string{
		"http://h/": {"h", "h:80"}, "https://h/": {"h", "h:443"}, "https://h:8443/": {"h", "h:8443"}, "http://[::1]/": {"::1", "[::1]:80"},
		"http://h:/": {"h", "h:80"},
	} {
		_, at, _ := newDirect(dialer{}).requestOf(&Call{URL: url, Secure: secure})
		if to := at.target(); to.host != want[0] || to.address != want[1] || (at.secure != nil) != at.https {
			t.Errorf("%s: %+v", url, at)
		}
	}
	_, at, _ := newDirect(dialer{}).requestOf(&Call{URL: "http://h:81/", Address: pinned})
	if to := at.target(); to.address != "[fd00::1]:81" || to.host != "h" {
		t.Errorf("%s of %s", to.address, to.host)
	}
}

func TestHeads(t *testing.T) {
	var h heads
	field := func(name, value string) http1.Field { return http1.Field{Name: []byte(name), Value: []byte(value)} }
	for _, tt := range []struct {
		fields []http1.Field
		want   http.Header
	}{
		{nil, nil},
		{[]http1.Field{field("Server", "x")}, nil},
		{[]http1.Field{field("content-type", "application/json"), field("Date", "x")}, http.Header{"Content-Type": {"application/json"}}},
		{
			[]http1.Field{field("RETRY-AFTER", "1"), field("Content-Encoding", "gzip"), field("content-encoding", "br"), field("Content-Type", "a/b")},
			http.Header{"Retry-After": {"1"}, "Content-Encoding": {"gzip", "br"}, "Content-Type": {"a/b"}},
		},
	} {
		if diff := cmp.Diff(tt.want, h.of(tt.fields)); diff != "" {
			t.Error(diff)
		}
	}
	for i := range 2 * maxHeads {
		h.of([]http1.Field{field("Content-Type", string(rune('a'+i)))})
	}
	h.of([]http1.Field{field("Content-Type", string(make([]byte, longestType+1)))})
	if len(h.typed) > maxHeads {
		t.Errorf("%d headers are kept", len(h.typed))
	}
}

// A panic while dialling is the call's, as if its own goroutine had dialled.
func TestAPanicOfDialling(t *testing.T) {
	defer func() {
		if got := recover(); got != "dial" {
			t.Errorf("panicked with %v", got)
		}
	}()
	conn, err := apart(func() (net.Conn, error) { panic("dial") })
	t.Errorf("%v, %v", conn, err)
}

// A field that HTTP does not allow is a mistake of the request: nothing was sent, whether the connection is old or new.
func TestAFieldThatIsNotSent(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(fine))
	defer s.Close()
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	for range 2 {
		_, err := c.Do(t.Context(), &Call{Method: "GET", URL: s.URL, Header: http.Header{"A": {"b\r\nC: d"}}, Connect: patience})
		if f, _ := errors.AsType[relay.Failure](err); !f.Unsent || f.Err.Error() != "call upstream: the request has a header field that HTTP does not allow" {
			t.Errorf("%v", err)
		}
		if err := do(t, c, &Call{Method: "GET", URL: s.URL}); err != nil {
			t.Error(err)
		}
	}
}

// mostAllocations is what a call may allocate: the request, the answer with its body, and what a context keeps of its watchers. net/http needs
// 55.
const mostAllocations = 10

func TestAllocationsOfACall(t *testing.T) {
	if tested != Own {
		return
	}
	url := "http://" + echoing(t) + "/v1/chat"
	c := NewClient(addresses.Rules{}, egress.Proxy{}, Own)
	defer c.Close()
	call := &Call{Method: "POST", URL: url, Header: http.Header{"Content-Type": {"application/json"}}, Body: pieces.Text{[]byte("{}")}, Connect: patience}
	into := make([]byte, 100)
	n := testing.AllocsPerRun(200, func() { once(t, c, call, into) })
	if n > mostAllocations {
		t.Errorf("a call allocates %v times, want at most %d", n, mostAllocations)
	}
	t.Log(n)
}

func once(t testing.TB, c *Client, call *Call, into []byte) {
	t.Helper()
	answer, err := c.Do(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = answer.Body.Read(into)
	}
	_ = answer.Body.Close()
}

// echoing is the address of a server that answers each request, and allocates nothing itself.
func echoing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		request := make([]byte, 4096)
		for {
			n, err := c.Read(request)
			if err != nil {
				return
			}
			if slices.Equal(request[max(n-2, 0):n], []byte("{}")) {
				_, _ = c.Write(answer)
			}
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}
