package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// says serves one answer, byte for byte, to each connection, and returns the URL.
func says(t testing.TB, answer func() string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, answer())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// answers makes one whole call and one stream to the URL, and returns how both failed.
func answers(t testing.TB, c Doer, url string) (whole, streamed relay.Failure) {
	t.Helper()
	once := func(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		if after.Kind != relay.NoFailure {
			return nil, after
		}
		call := &Call{Method: http.MethodPost, URL: url, Header: http.Header{}, Body: pieces.Text{[]byte("{}")}, Connect: patience}
		return &Attempt{Call: call, FirstToken: patience, Idle: patience, Total: patience}, after
	}
	_, err := Fetch(t.Context(), c, once, Expect{}, nil)
	return failureIn(err), failureIn(Stream(t.Context(), c, tapped(once, deaf{}), &run{}, nil))
}

// failureIn is the failure that an error is; zero if it is none.
func failureIn(err error) relay.Failure {
	f, _ := errors.AsType[relay.Failure](err)
	return f
}

// deaf sees neither content nor an end in any frame.
type deaf struct{ letterTap }

func (deaf) Frame(dst []byte, _ *wire.Frame) ([]byte, relay.EventKind) { return dst, relay.Preamble }

// net/http quotes an upstream's bytes, which may hold keys and prompts.
func TestFaultsAreInOurOwnWords(t *testing.T) {
	const head, stream = "call upstream: the head of the answer is malformed", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	for _, tt := range []struct{ answer, want string }{
		{"MARK\r\n\r\n", "connect: " + head},
		{"MARK 200 OK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 MARK OK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 2MARK\r\n\r\n", "connect: " + head},
		{"HTTP/MARK 200 OK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nMARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\n MARK: a\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nA: MARK\x00\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nContent-Length: MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length, MARK\r\n\r\n", "connect: " + head},
		{"HTTP/1.1 200 OK\r\nA: MARK" + strings.Repeat("x", 80<<10) + "\r\n\r\n", "connect: call upstream: the head of the answer is too long"},
		{strings.Repeat("HTTP/1.1 103 MARK\r\nA: MARK\r\n\r\n", 6000), "connect: call upstream: the head of the answer is too long"},
		{"", "connect: call upstream: the connection ended too early"},
		{"HTTP/1.1 200", "connect: call upstream: the connection ended too early"},
		{stream + "Content-Length: 99\r\n\r\nMARK", "truncated: the connection ended too early"},
		{stream + "Transfer-Encoding: chunked\r\n\r\nMARK\r\n", "truncated: the chunks of the answer are malformed"},
		{stream + "Transfer-Encoding: chunked\r\n\r\n1\r\nMARK\r\n", "truncated: the chunks of the answer are malformed"},
		{stream + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("MARK", 2000) + "\r\n", "truncated: the chunks of the answer are malformed"},
		{stream + "Transfer-Encoding: chunked\r\n\r\n4\r\nMARK\r\n0\r\nMARK\r\n\r\n", "truncated: the end of the answer is malformed"},
	} {
		t.Run("", func(t *testing.T) {
			c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
			defer c.Close()
			whole, streamed := answers(t, c, says(t, func() string { return tt.answer }))
			for way, f := range map[string]relay.Failure{"whole": whole, "streamed": streamed} {
				said := f.Error()
				if tested == NetHTTP && strings.Contains(tt.want, "the end of") {
					said = strings.Replace(said, "the head of", "the end of", 1) // it has one error for fields, wherever they are
				}
				if said != tt.want {
					t.Errorf("%.60q, %s: %v; want %s", tt.answer, way, f, tt.want)
				}
			}
		})
	}
}

func TestConnectionsThatFail(t *testing.T) {
	tlsOnly := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsOnly.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsOnly.StartTLS()
	defer tlsOnly.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for url, want := range map[string]string{
		"http://127.0.0.1:1":  "call upstream: the connection was refused",
		"http://mark.invalid": "call upstream: the host's name ",
		tlsOnly.URL:           "call upstream: TLS: the certificate is from an unknown authority",
		strings.Replace(plain.URL, "http:", "https:", 1): "call upstream: TLS: the server does not support it",
		"http://127.0.0.1:1/MARK\x7f":                    "build upstream request: the URL of the request is not valid",
	} {
		c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
		_, err := c.Do(t.Context(), &Call{Method: "POST", URL: url, Header: http.Header{}, Connect: 5 * time.Second})
		c.Close()
		if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "connect: "), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	// The end of a call is not the connection's fault.
	ended := relay.Failure{Kind: relay.FailedFirstToken}
	if f := relay.FailureOf(t.Context(), plainly(errors.Join(ended)), relay.FailedConnect); f.Kind != ended.Kind {
		t.Errorf("became %v", f)
	}
	if err := plainly(textproto.ProtocolError("MARK")); !errors.Is(err, textproto.ProtocolError("MARK")) || strings.Contains(err.Error(), "MARK") {
		t.Errorf("%v", err)
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, &net.DNSError{Err: "MARK", Name: "MARK"}, errors.New("MARK")} {
		if text := plainly(err).Error(); strings.Contains(text, "MARK") || text == err.Error() {
			t.Errorf("%v became %s", err, text)
		}
	}
}

// FuzzAnswers checks that no error repeats anything that an upstream sent.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n", "HTTP/1.1 302 OK\r\nLocation: http://a/\r\n\r\n",
	} {
		f.Add(seed, uint16(3))
	}
	own, theirs := NewClient(addresses.Rules{}, egress.Proxy{}, Own), NewClient(addresses.Rules{}, egress.Proxy{}, NetHTTP)
	f.Cleanup(own.Close)
	f.Cleanup(theirs.Close)
	var answer atomic.Value
	url := says(f, func() string { return answer.Load().(string) })
	f.Fuzz(func(t *testing.T, text string, at uint16) {
		n := int(at) % (len(text) + 1)
		answer.Store(text[:n] + "XQZJ" + text[n:]) // a word that is in none of our own texts
		whole, streamed := answers(t, own, url)
		wholly, inEvents := answers(t, theirs, url)
		for _, failure := range []relay.Failure{whole, streamed, wholly, inEvents} {
			if strings.Contains(strings.ToUpper(failure.Error()), "XQZJ") {
				t.Errorf("%q: %v", answer.Load(), failure)
			}
		}
	})
}
