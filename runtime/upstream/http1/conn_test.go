package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/pieces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; nothing depends on how long a wait is.
const patience = 20 * time.Second

// server serves each connection with a function of its own, and closes the connection when that returns.
func server(t testing.TB, serve func(c net.Conn, requests *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, serve)
	return l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, serve func(c net.Conn, requests *bufio.Reader)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c, bufio.NewReader(c))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}

// dial connects to an address, for a pool of one key.
func dial(t testing.TB, p *Pool[string], address string) *Conn {
	t.Helper()
	tcp, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSocket(tcp)
	c := NewConn(s, s)
	t.Cleanup(c.Close)
	p.Adopt("", c)
	return c
}

func newPool() *Pool[string] { return &Pool[string]{Idle: patience, Most: 10} }

func get() *Request { return &Request{Method: "GET", Host: "h", Target: "/"} }

// exchange makes a call and reads its answer to the end.
func exchange(t testing.TB, c *Conn, r *Request) (*Answer, string, error) {
	t.Helper()
	a, err := c.Exchange(t.Context(), r)
	if err != nil {
		return nil, "", err
	}
	defer a.Close()
	body, err := io.ReadAll(a)
	return a, string(body), err
}

// next reads a request, and returns its body.
func next(requests *bufio.Reader) string {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

// What a connection is used again after, and what not.
func TestConnectionsThatAreUsedAgain(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		text, body string
		again      bool
	}{
		{ok + "Content-Length: 2\r\n\r\nok", "ok", true},
		{ok + "Content-Length: 0\r\n\r\n", "", true},
		{"HTTP/1.1 204 No Content\r\n\r\n", "", true},
		{ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", "ok", true},
		{"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", "ok", true},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok", true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
		{ok + "Connection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false},
		{ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", false},
		// What follows an answer is never the next one's.
		{ok + "Content-Length: 2\r\n\r\nok" + ok + "Content-Length: 4\r\n\r\nevil", "ok", false},
		{ok + "Content-Length: 2\r\n\r\nok\r\n", "ok", false},
		{ok + "Content-Length: 0\r\n\r\n" + ok, "", false},
		{"HTTP/1.1 204 No Content\r\n\r\nok", "", false},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", "", false},
		{ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n", "ok", false},
	} {
		for _, cut := range []int{0, 1, 3} { // the sizes of reads
			p := newPool()
			c := dial(t, p, server(t, func(c net.Conn, requests *bufio.Reader) {
				next(requests)
				_, _ = io.WriteString(c, tt.text)
				next(requests)
			}))
			a, err := c.Exchange(t.Context(), get())
			if err != nil {
				t.Errorf("%q: %v", tt.text, err)
				continue
			}
			var from io.Reader = a
			if cut > 0 {
				from = bits{a, cut}
			}
			body, err := io.ReadAll(from)
			if err != nil || string(body) != tt.body {
				t.Errorf("%q: %q, %v", tt.text, body, err)
			}
			_ = a.Close()
			if again := p.pop("") != nil; again != tt.again {
				t.Errorf("%q, in reads of %d: used again: %v", tt.text, cut, again)
			}
		}
	}
}

type bits struct {
	io.Reader

	size int
}

func (p bits) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

// What comes between two calls is found before the second; over TLS, tickets may come at any time.
func TestWhatComesBetweenCalls(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	certificate := pair.TLS.Certificates
	pair.Close()
	for name, tt := range map[string]struct {
		between func(c net.Conn)
		alive   bool
	}{
		"nothing": {func(net.Conn) {}, true},
		"rubbish": {func(c net.Conn) { _, _ = io.WriteString(c, "x") }, false},
		"the end": {func(c net.Conn) { _ = c.Close() }, false},
		"a reset": {func(c net.Conn) {
			if s, ok := c.(*tls.Conn); ok {
				c = s.NetConn()
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}, false},
	} {
		for _, secure := range []bool{false, true} {
			come := make(chan struct{})
			serve := func(c net.Conn, requests *bufio.Reader) {
				next(requests)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				<-come
				tt.between(c)
				come <- struct{}{}
				next(requests)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
				<-come
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			p := newPool()
			var c *Conn
			if secure {
				serveOn(t, tls.NewListener(l, &tls.Config{Certificates: certificate}), serve)
				tcp, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				s := NewSocket(tcp)
				c = NewConn(tls.Client(s, &tls.Config{InsecureSkipVerify: true}), s)
				p.Adopt("", c)
			} else {
				serveOn(t, l, serve)
				c = dial(t, p, l.Addr().String())
			}
			if _, body, err := exchange(t, c, get()); err != nil || body != "ok" {
				t.Fatalf("%s: %q, %v", name, body, err)
			}
			come <- struct{}{}
			<-come
			if !tt.alive {
				arrived(t, c)
			}
			again := p.Get("")
			if (again != nil) != tt.alive {
				t.Errorf("%s, TLS %v: used again: %v", name, secure, again != nil)
			}
			if tt.alive {
				if _, body, err := exchange(t, c, get()); err != nil || body != "again" {
					t.Errorf("%s, TLS %v: %q, %v", name, secure, body, err)
				}
			}
			come <- struct{}{}
			c.Close()
		}
	}
}

// arrived waits until the system has something for the connection, without reading it.
func arrived(t *testing.T, c *Conn) {
	t.Helper()
	raw, err := c.socket.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.socket.SetReadDeadline(time.Now().Add(patience))
	one := make([]byte, 1)
	_ = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), one, syscall.MSG_PEEK)
		return !errors.Is(err, syscall.EAGAIN)
	})
	_ = c.socket.SetReadDeadline(time.Time{})
}

// A server may answer before it has read the request, and never read the rest.
func TestAnEarlyAnswer(t *testing.T) {
	for _, closes := range []bool{false, true} {
		release := make(chan struct{})
		p := newPool()
		c := dial(t, p, server(t, func(c net.Conn, requests *bufio.Reader) {
			_, _ = http.ReadRequest(requests)
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
			if closes {
				_ = c.(*net.TCPConn).CloseWrite()
			}
			<-release
		}))
		r := &Request{Method: "POST", Host: "h", Target: "/", Body: pieces.Text{make([]byte, 16<<20)}}
		a, body, err := exchange(t, c, r)
		if err != nil || a.Status != 413 || body != "no" {
			t.Errorf("%+v, %q, %v", a, body, err)
		}
		if p.pop("") != nil || c.Written() {
			t.Error("the connection is used again, in the middle of a request")
		}
		close(release)
	}
}

// What is written while the answer is read arrives whole, and the connection is used again.
func TestALargeRequest(t *testing.T) {
	const size = 8 << 20
	p := newPool()
	heard := make(chan int, 2)
	c := dial(t, p, server(t, func(c net.Conn, requests *bufio.Reader) {
		for range 2 {
			heard <- len(next(requests))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		next(requests)
	}))
	for range 2 {
		if _, body, err := exchange(t, c, &Request{Method: "PUT", Host: "h", Target: "/", Body: pieces.Text{make([]byte, size)}}); err != nil || body != "ok" || <-heard != size {
			t.Fatalf("%q, %v", body, err)
		}
		if again := p.Get(""); again != c {
			t.Fatal("the connection is not used again")
		}
	}
}

// A context that ends, ends whatever the call is waiting for, with its cause.
func TestCancelling(t *testing.T) {
	cause := errors.New("enough")
	for name, tt := range map[string]struct {
		answer string
		body   int
	}{
		"while it writes":    {"", 16 << 20},
		"before the head":    {"", 1},
		"in the head":        {"HTTP/1.1 200", 1},
		"before the body":    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 1},
		"in the body":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 1},
		"in a chunk":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 1},
		"in an endless body": {"HTTP/1.1 200 OK\r\n\r\nhel", 1},
	} {
		release, answered := make(chan struct{}), make(chan struct{})
		p := newPool()
		c := dial(t, p, server(t, func(c net.Conn, requests *bufio.Reader) {
			_, _ = http.ReadRequest(requests)
			_, _ = io.WriteString(c, tt.answer)
			close(answered)
			<-release
		}))
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-answered
			cancel(cause)
		}()
		a, err := c.Exchange(ctx, &Request{Method: "POST", Host: "h", Target: "/", Body: pieces.Text{make([]byte, tt.body)}})
		if err == nil {
			_, err = io.ReadAll(a)
			_ = a.Close()
		}
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
		if p.pop("") != nil {
			t.Errorf("%s: the connection is used again", name)
		}
		close(release)
	}
}

// An answer that is closed before its end leaves nothing to the next call.
func TestAnAnswerThatIsNotReadToItsEnd(t *testing.T) {
	for _, tt := range []struct {
		text  string
		again bool
	}{
		{"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", true},
		{"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n4\r\noops\r\n0\r\n\r\n", true},
		{"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\noops", false},
		{"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noopsx", false},
		{"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n4\r\noops\r\n0\r\n", false},
		{"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n4\r\noopsx", false},
		{"HTTP/1.1 500 Oops\r\n\r\noops", false},
	} {
		p := newPool()
		c := dial(t, p, server(t, func(c net.Conn, requests *bufio.Reader) {
			next(requests)
			_, _ = io.WriteString(c, tt.text)
			next(requests)
		}))
		a, err := c.Exchange(t.Context(), get())
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Close()
		if again := p.pop("") != nil; again != tt.again {
			t.Errorf("%q: used again: %v", tt.text, again)
		}
		if n, err := a.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%q: read after it was closed: %d, %v", tt.text, n, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Bytes that are not HTTP are refused as soon as they come: their server may be waiting, too.
func TestAServerOfAnotherProtocol(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c := dial(t, newPool(), server(t, func(c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "220 mail")
		<-release
	}))
	if _, _, err := exchange(t, c, get()); !errors.Is(err, ErrHead) {
		t.Errorf("%v", err)
	}
}

func TestHeadsAreBounded(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", MaxHead) + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", MaxHead),
		strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", MaxHead/22+1) + "HTTP/1.1 200 OK\r\n\r\n",
	} {
		c := dial(t, newPool(), server(t, func(c net.Conn, requests *bufio.Reader) {
			next(requests)
			_, _ = io.WriteString(c, text)
			_, _ = requests.ReadByte()
		}))
		if _, _, err := exchange(t, c, get()); !errors.Is(err, ErrTooLong) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}
