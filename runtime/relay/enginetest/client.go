package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	// missing is the head of a request whose body does not follow.
	missing = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
)

// post is a request with a body.
func post(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// chunked is a request whose body comes in one chunk.
func chunked(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

// dial returns a connection on which a text is being sent.
func (s *stand) dial(text string) net.Conn {
	s.t.Helper()
	conn, err := s.listener.Dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	send(conn, text)
	return conn
}

// send writes without waiting for the other side to read. An engine may close the connection before it has read all.
func send(conn net.Conn, text string) {
	go func() { _, _ = io.WriteString(conn, text) }()
}

// early is a connection whose client has read something while it still sent.
type early struct {
	net.Conn

	kept []byte
}

// Read implements io.Reader.
func (e *early) Read(p []byte) (int, error) {
	if len(e.kept) == 0 {
		return e.Conn.Read(p) //nolint:wrapcheck // it is the connection's
	}
	n := copy(p, e.kept)
	e.kept = e.kept[n:]
	return n, nil
}

// dialAfter returns a connection on which a text was sent to its end, or as far as the engine has taken it.
func (s *stand) dialAfter(text string) net.Conn {
	s.t.Helper()
	conn := s.dial("")
	kept := make(chan []byte)
	go func() {
		buffer := make([]byte, 4<<10) // more than any answer has
		n, _ := io.ReadAtLeast(conn, buffer, len("HTTP/1.1 429"))
		kept <- buffer[:n]
	}()
	_, _ = io.WriteString(conn, text)
	return &early{Conn: conn, kept: <-kept}
}

// got is an answer as a client reads it.
type got struct {
	status int
	events []string // each line with the second in which it came
	close  bool     // the connection is to be closed
	cut    bool     // the answer has no end
}

// read reads an answer to its end.
func read(t *testing.T, conn net.Conn) got {
	t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return got{cut: true}
	}
	defer func() { _ = resp.Body.Close() }()
	answer := got{status: resp.StatusCode, close: resp.Close}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if lines.Text() != "" {
			answer.events = append(answer.events, fmt.Sprintf("%vs %s", time.Since(began).Truncate(time.Second).Seconds(), lines.Text()))
		}
	}
	answer.cut = lines.Err() != nil
	return answer
}

// text is the answer without times.
func (g got) text() string {
	var lines []string
	for _, event := range g.events {
		_, line, _ := strings.Cut(event, " ")
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// rest reads a connection to its end, which has to come in time.
func rest(t *testing.T, conn net.Conn, within time.Duration) string {
	t.Helper()
	began := time.Now()
	text, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if took := time.Since(began); took > within {
		t.Errorf("the connection was closed after %s, want %s at most", took, within)
	}
	return string(text)
}

// wants fails the test where an outcome is not the one expected.
func (p *script) wants(t *testing.T, result relay.Result, failure relay.FailureKind) relay.Outcome {
	t.Helper()
	select {
	case o := <-p.outcomes:
		if o.Result != result || relay.FailureKindOf(o.Err) != failure {
			t.Errorf("outcome %+v, want %s %q", o, result, failure)
		}
		return o
	case <-time.After(time.Hour):
		t.Error("no outcome")
		return relay.Outcome{}
	}
}
