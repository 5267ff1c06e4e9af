package http1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a connection on which an answer comes once a request was written, some bytes in each read.
type script struct {
	net.Conn

	answer  io.Reader
	size    int
	asked   chan struct{}
	closing chan struct{}
}

func newScript(answer []byte, size int) *script {
	return &script{answer: bytes.NewReader(answer), size: size, asked: make(chan struct{}), closing: make(chan struct{})}
}

func (s *script) Write(p []byte) (int, error) {
	select {
	case <-s.asked:
	default:
		close(s.asked)
	}
	return len(p), nil
}

func (s *script) Read(p []byte) (int, error) {
	select {
	case <-s.asked:
		return s.answer.Read(p[:min(len(p), s.size)])
	case <-s.closing:
		return 0, net.ErrClosed
	}
}

func (s *script) Close() error {
	select {
	case <-s.closing:
	default:
		close(s.closing)
	}
	return nil
}

func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// seen is what a client makes of an answer. Failed says where it gave up: in the head or in the body.
type seen struct {
	status int
	header http.Header
	body   string
	failed string
}

func (s *seen) String() string {
	return fmt.Sprintf("status %d, header %q, body %.100q, failed %q", s.status, s.header, s.body, s.failed)
}

// framed are the fields that net/http changes or drops.
var framed = []string{"Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Cache-Control"}

func (s *seen) read(body io.Reader) {
	text, err := io.ReadAll(body)
	if s.body = string(text); err != nil {
		s.failed = "body"
	}
	for _, name := range framed {
		delete(s.header, name)
	}
}

func byOurs(method string, answer []byte, size int) (s seen) {
	socket := NewSocket(newScript(answer, size))
	c := NewConn(socket, socket)
	a, err := c.Exchange(context.Background(), &Request{Method: method, Host: "h", Target: "/"})
	if err != nil {
		return seen{failed: "head"}
	}
	defer a.Close()
	s.status, s.header = a.Status, http.Header{}
	for _, f := range a.Fields() {
		name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		s.header[name] = append(s.header[name], string(f.Value))
	}
	s.read(a)
	return s
}

func byTheirs(method string, answer []byte, size int) (s seen) {
	conn := newScript(answer, size)
	transport := &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: MaxHead,
	}
	request, err := http.NewRequestWithContext(context.Background(), method, "http://h/", nil)
	if err != nil {
		panic(err)
	}
	a, err := transport.RoundTrip(request)
	if err != nil {
		return seen{failed: "head"}
	}
	defer a.Body.Close()
	s.status, s.header = a.StatusCode, a.Header
	s.read(a.Body)
	return s
}

// differences are those that are meant. Each has its reason, and names the answers that it is about.
var differences = []struct {
	why string
	is  func(answer string, ours, theirs *seen) bool
}{
	{
		"A status line has one space, three digits of which the first is not 0, and a version of HTTP/1 (RFC 9112, section 4); its reason " +
			"has no control characters. net/http also takes other versions, more spaces, +12 for a status, and anything as a reason.",
		inHead(regexp.MustCompile(`(?s)^(HTTP/1\.\d 1\d\d[^\n]*\n(.*\n)?\r?\n)*(HTTP/[^1]|HTTP/1\.\d  |HTTP/1\.\d [^1-9]|HTTP/1\.\d[^\n]*([\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]))`)),
	},
	{
		"A line that continues the one before it is refused, which a gateway may do (RFC 9112, section 5.2). net/http joins them.",
		inHead(regexp.MustCompile(`\n[ \t]+`)),
	},
	{
		"HTTP/1.0 has no transfer codings, and an answer that states one is faulty (RFC 9112, section 6.1). net/http ignores the field, and " +
			"takes the chunks for the body.",
		inHead(regexp.MustCompile(`(?is)HTTP/1\.0 .*\ntransfer-encoding:`)),
	},
	{
		"A name is a token: it has at least one character, and no white space within or after it (RFC 9112, section 5.1).",
		inHead(regexp.MustCompile(`\n(:|[^:\n]*[ \t][^:\n]*:)`)),
	},
	{
		"There are at most MaxFields fields, and lengths of at most 18 digits.",
		func(answer string, ours, _ *seen) bool {
			return ours.failed == "head" && (strings.Count(answer, "\n") > MaxFields || regexp.MustCompile(`(?i)content-length:[ \t]*\d{19}`).MatchString(answer))
		},
	},
	{
		"An answer of 101 agrees to something that nobody asked for. It has no body; net/http gives it the connection.",
		func(_ string, ours, theirs *seen) bool {
			return ours.status == 101 && theirs.status == 101 && ours.body == ""
		},
	},
	{
		"White space may stand before a chunk's extension (RFC 9112, section 7.1.1). net/http refuses it.",
		func(answer string, _, theirs *seen) bool {
			return theirs.failed == "body" && regexp.MustCompile(`[0-9a-fA-F][ \t]+;`).MatchString(answer)
		},
	},
	{
		"The lines of chunks and trailers end with CR LF, and neither extensions nor trailers have control characters (RFC 9112, section 7.1). " +
			"net/http looks at neither, and takes a bare LF within a trailer.",
		func(answer string, ours, theirs *seen) bool {
			trailer := theirs.failed == "" && ours.body == theirs.body && strings.Contains(strings.ToLower(answer), "chunked")
			extension := strings.HasPrefix(theirs.body, ours.body) && extensionWithControls.MatchString(answer)
			return ours.failed == "body" && (trailer || extension)
		},
	},
}

var extensionWithControls = regexp.MustCompile(`\n[0-9a-fA-F]+[ \t]*;[^\n]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]`)

// inHead are answers that only net/http takes, if their heads look like that.
func inHead(like *regexp.Regexp) func(string, *seen, *seen) bool {
	return func(answer string, ours, theirs *seen) bool {
		return ours.failed == "head" && theirs.failed != "head" && like.MatchString(answer)
	}
}

func meant(answer []byte, ours, theirs *seen) bool {
	for _, d := range differences {
		if d.is(string(answer), ours, theirs) {
			return true
		}
	}
	return false
}

func equal(a, b *seen) bool {
	return a.status == b.status && a.body == b.body && a.failed == b.failed && maps.EqualFunc(a.header, b.header, slices.Equal)
}

// FuzzAgainstNetHTTP gives the same bytes to both clients: they return the same status, fields and body, and give up at the same
// place. Each difference is a bug of ours, or is listed.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, answer := range seeds {
		f.Add([]byte(answer), byte(0))
		f.Add([]byte(answer), byte(3))
	}
	f.Fuzz(func(t *testing.T, answer []byte, mode byte) {
		if len(answer) > MaxHead/2 {
			return // where the bounds of heads lie exactly does not matter
		}
		method, size := http.MethodGet, len(answer)+1
		if mode&1 == 1 {
			method = http.MethodHead
		}
		if mode&2 == 2 {
			size = 1 + int(mode>>2)
		}
		ours, theirs := byOurs(method, answer, size), byTheirs(method, answer, size)
		if !equal(&ours, &theirs) && !meant(answer, &ours, &theirs) {
			t.Errorf("%s %q in reads of %d\nours:     %v\nnet/http: %v", method, answer, size, &ours, &theirs)
		}
	})
}

const ok = "HTTP/1.1 200 OK\r\n"

var seeds = []string{
	ok + "Content-Type: text/event-stream\r\nContent-Length: 5\r\n\r\nhello",
	ok + "Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	ok + "Content-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello and more",
	ok + "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello",
	ok + "Content-Length: 5\r\n\r\nhel",
	ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
	ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
	ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n\r\n",
	ok + "Transfer-Encoding: chunked\r\n\r\n5 ;x\r\nhello\r\n0\r\n\r\n",
	ok + "\r\nuntil it closes",
	"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200\nA: b\nContent-Length: 1\n\na",
	"HTTP/2.0  200 OK\r\nA: b\r\n c\r\nD : e\r\n: f\r\n\r\n",
	"HTTP/1.1 +12 \x01\r\n\r\n",
	ok + "C ontent-Type: a\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 O\x80\x00\nContent-Length: 5\r\n\r\nhello",
	ok + "Transfer-Encoding: chunked\r\n\r\n5;x=y\x00\x00hello\r\n0\r\nA: b\r\n\r\n",
	"220 smtp.example ESMTP\r\n",
	"",
}

// TestDifferences: each difference that is listed is there to see.
func TestDifferences(t *testing.T) {
	answers := []string{
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		ok + "A : b\r\nContent-Length: 0\r\n\r\n",
		ok + strings.Repeat("A: b\r\n", MaxFields+1) + "Content-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
		ok + "Transfer-Encoding: chunked\r\n\r\n5 ;x\r\nhello\r\n0\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n",
	}
	if len(answers) != len(differences) {
		t.Errorf("%d answers for %d differences", len(answers), len(differences))
	}
	for i, answer := range answers {
		ours, theirs := byOurs("GET", []byte(answer), len(answer)), byTheirs("GET", []byte(answer), len(answer))
		if equal(&ours, &theirs) || !differences[i].is(answer, &ours, &theirs) {
			t.Errorf("%s\n%.80q\nours:     %v\nnet/http: %v", differences[i].why, answer, &ours, &theirs)
		}
	}
	if errors.Is(errClosed, io.EOF) {
		t.Error("an answer that was closed seems whole")
	}
}
