package mockllm

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/relay/enginetest"
	"github.com/llmservice/llmservice/runtime/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves a mock on loopback and ends it with the test.
func start(t testing.TB, o Options) (mock *Server, url string, client *http.Client) {
	t.Helper()
	mock = New(o)
	ts := httptest.NewServer(mock)
	t.Cleanup(func() {
		mock.Close()
		ts.Close()
	})
	return mock, ts.URL, ts.Client()
}

const (
	streamed = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hello there"}]}`
	whole    = `{"model":"m","messages":[{"role":"user","content":"hello there"}]}`
)

// post sends a chat request with a script in its header.
func post(t testing.TB, client *http.Client, url, body, script string) (*http.Response, error) {
	t.Helper()
	return postContext(t.Context(), client, url, body, script)
}

func postContext(ctx context.Context, client *http.Client, url, body, script string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if script != "" {
		req.Header.Set(ScriptHeader, script)
	}
	return client.Do(req)
}

// answer is a response as far as it came.
type answer struct {
	status  int
	header  http.Header
	body    string
	readErr error
}

func get(t testing.TB, client *http.Client, url, body, script string) answer {
	t.Helper()
	resp, err := post(t, client, url, body, script)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// data returns the data of the events in a stream, and whether a part of a
// frame follows them.
func data(t testing.TB, stream string) (events []string, partial bool) {
	t.Helper()
	p := wire.NewParser(4 << 20)
	if err := p.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	for f, ok := p.Next(); ok; f, ok = p.Next() {
		events = append(events, string(f.Data))
	}
	return events, p.Partial()
}

// await waits until the mock's figures are as wanted, for as long as a test
// may hang before it says so.
func await(t testing.TB, mock *Server, what string, ok func(Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if stats, err := mock.Await(ctx, ok); err != nil {
		t.Fatalf("%s: %v, with %+v", what, err, stats)
	}
}

// startPipe serves a mock without sockets. stop ends everything; it must run
// inside the bubble that called startPipe.
func startPipe(t *testing.T) (mock *Server, client *http.Client, stop func()) {
	t.Helper()
	mock = New(Options{})
	l := enginetest.Listen() // unlike sockets, its connections let the clock of a synctest bubble go on
	server := &http.Server{Handler: mock}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) }}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return mock, &http.Client{Transport: transport}, func() {
		mock.Close()
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
		serving.Wait()
	}
}
