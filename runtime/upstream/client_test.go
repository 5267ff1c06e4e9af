package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
)

// oneEach is a server that answers the first request of each connection, and closes the connection when a second one arrives,
// like a server whose idle timeout ends just then. It remembers the bodies that arrived.
type oneEach struct {
	net.Listener

	// together, if set, keeps the first answers until this many requests have arrived.
	together *sync.WaitGroup

	mu      sync.Mutex
	arrived map[string]int
}

// waits is the body of a request that waits for the others.
const waits = "waits"

func startOneEach(t *testing.T) (*oneEach, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &oneEach{Listener: l, arrived: map[string]int{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return s, "http://" + l.Addr().String()
}

func (s *oneEach) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	requests := bufio.NewReader(conn)
	for first := true; ; first = false {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		s.mu.Lock()
		s.arrived[string(body)]++
		s.mu.Unlock()
		if !first {
			return
		}
		if s.together != nil && string(body) == waits {
			s.together.Done()
			s.together.Wait()
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

func do(t *testing.T, c *Client, call *Call) error {
	t.Helper()
	if call.Connect = time.Second; call.Header == nil {
		call.Header = http.Header{}
	}
	answer, err := c.Do(t.Context(), call)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return err
}

// A call's body is the caller's again once the answer has been closed, however much of it was sent: under the race detector, a
// read that comes later fails.
func TestABodyIsTheCallersAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot) // before the body has been read
	}))
	defer server.Close()
	for _, kind := range []Kind{Own, NetHTTP} {
		c := NewClient(addresses.Rules{}, egress.Proxy{}, kind)
		for _, size := range []int{1 << 10, 100 << 10, 8 << 20} {
			body := make([]byte, size)
			answer, err := c.Do(t.Context(), &Call{Method: "POST", URL: server.URL, Header: http.Header{}, Body: pieces.Text{body}})
			if err == nil {
				_ = answer.Body.Close()
			}
			for i := range body {
				body[i] = 'x'
			}
		}
		c.Close()
	}
}

// A connection that its server closes as a request leaves is not a failure of the server: the request is sent once more on a
// fresh connection, unless it must not arrive twice.
func TestAConnectionThatClosesAsARequestLeaves(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "GET"} {
		s, url := startOneEach(t)
		c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
		for i := range 20 {
			if err := do(t, c, &Call{Method: method, URL: url, Body: pieces.Text{[]byte{byte('a' + i)}}}); err != nil {
				t.Errorf("%s %d: %v", method, i, err)
			}
		}
		s.mu.Lock()
		for body, n := range s.arrived {
			if n > 2 {
				t.Errorf("%s: %s arrived %d times", method, body, n)
			}
		}
		s.mu.Unlock()
		c.Close()
	}
	s, url := startOneEach(t)
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	first := do(t, c, &Call{Method: "POST", URL: url, Body: pieces.Text{[]byte("first")}, Once: true})
	second := do(t, c, &Call{Method: "POST", URL: url, Body: pieces.Text{[]byte("second")}, Once: true})
	if first != nil || second == nil {
		t.Errorf("once: %v, then %v; want an error", first, second)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(map[string]int{"first": 1, "second": 1}, s.arrived); diff != "" {
		t.Errorf("what must not arrive twice: %s", diff)
	}
}

// net/http's transport repeats a request on one connection of the pool after another; our client does so once.
func TestNothingIsSentMoreThanTwice(t *testing.T) {
	for body, call := range map[string]*Call{
		"":    {Method: "GET"},
		"key": {Method: "POST", Body: pieces.Text{[]byte("key")}, Header: http.Header{"Idempotency-Key": {"k"}}},
	} {
		s, url := startOneEach(t)
		s.together = &sync.WaitGroup{}
		c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
		const pooled = 5
		s.together.Add(pooled)
		var all sync.WaitGroup
		for range pooled {
			all.Go(func() {
				if err := do(t, c, &Call{Method: "POST", URL: url, Body: pieces.Text{[]byte(waits)}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		call.URL = url
		if err := do(t, c, call); err != nil {
			t.Errorf("%s: %v", call.Method, err)
		}
		s.mu.Lock()
		if n := s.arrived[body]; n != 2 {
			t.Errorf("%s arrived %d times, want 2", call.Method, n)
		}
		s.mu.Unlock()
		c.Close()
	}
}

func TestTwentyAtOnceOnConnectionsThatClose(t *testing.T) {
	_, url := startOneEach(t)
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	for range 5 {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := do(t, c, &Call{Method: "POST", URL: url, Body: pieces.Text{[]byte(strings.Repeat("x", 100))}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// Only a request that was lost with a pooled connection is sent again.
func TestWhatIsSentAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		reused, written, answered, once, want bool
	}{
		"a fresh connection":               {false, true, false, false, false},
		"one of the pool":                  {true, true, false, false, true},
		"an answer has begun":              {true, true, true, false, false},
		"not twice, sent whole":            {true, true, false, true, false},
		"not twice, not sent whole":        {true, false, false, true, true},
		"not twice, on a fresh connection": {false, false, false, true, false},
	} {
		var progress trace
		progress.reused.Store(tt.reused)
		progress.written.Store(tt.written)
		progress.answered.Store(tt.answered)
		if got := progress.again(&Call{Once: tt.once}); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Servers close idle connections after 5s or more; we do not use idle ones for that long.
func TestIdleConnectionsAreClosedBeforeTheirServersDo(t *testing.T) {
	if got := NewClient(addresses.Rules{}, egress.Proxy{}, tested).pooled.IdleConnTimeout; got >= 5*time.Second {
		t.Errorf("idle connections are kept for %s", got)
	}
}
