package matrix

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// What an upstream does at its offset, instead of going on.
const (
	reset     = "reset"
	closed    = "close"
	halfClose = "half-close" // its sending side; it reads on
	hang      = "hang"
	garbage   = "garbage"
	oversize  = "oversize"
	trickle   = "trickle" // one byte at a time, to the end: no fault, but every split
	early     = "early"   // it answers before it has read the request's body
	hints     = "hints"   // answers of 1xx come first
	misstated = "wrong length"
	misframed = "wrong length of a chunk"
	unended   = "missing terminator" // the answer ends as HTTP has it, without the mark of its end
	nothing   = "nothing"
)

// script is what an upstream does for one case.
type script struct {
	answer answer
	fault  string
	at     int
}

// call is one that an upstream got.
type call struct {
	stuck chan struct{} // closed once the upstream does nothing any more
	ended chan struct{} // closed once the gateway has closed the connection, or has got all of the answer
	left  time.Time     // when that was
}

// ledger is what the upstreams of a gateway were asked. Its cases say what to do.
type ledger struct {
	mu    sync.Mutex
	cases map[string]map[string]script // by case, then by the name of the upstream
	calls map[string][]*call           // by case and upstream
}

func newLedger() *ledger {
	return &ledger{cases: map[string]map[string]script{}, calls: map[string][]*call{}}
}

func (l *ledger) plan(name string, scripts map[string]script) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cases[name] = scripts
}

func (l *ledger) begin(name, upstream string) (script, *call, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, found := l.cases[name][upstream]
	c := &call{stuck: make(chan struct{}), ended: make(chan struct{})}
	l.calls[name+" "+upstream] = append(l.calls[name+" "+upstream], c)
	return s, c, found
}

// of returns the calls of a case that an upstream got.
func (l *ledger) of(name, upstream string) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls[name+" "+upstream])
}

// all returns the calls of a case.
func (l *ledger) all(name string) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*call
	for key, calls := range l.calls {
		if strings.HasPrefix(key, name+" ") {
			all = append(all, calls...)
		}
	}
	return all
}

// upstream is a server that follows the scripts to the byte.
type upstream struct {
	name    string
	ledger  *ledger
	address string
	work    sync.WaitGroup
	ctx     context.Context // of the server, which the test ends
}

func startUpstream(t *testing.T, name string, l *ledger) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	u := &upstream{name: name, ledger: l, address: listener.Addr().String(), ctx: ctx}
	u.work.Go(func() { u.accept(listener) })
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
		u.work.Wait()
	})
	return u
}

func (u *upstream) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		u.work.Go(func() { u.serve(conn.(*net.TCPConn)) })
	}
}

var caseName = regexp.MustCompile(`case-[0-9a-z]+`)

// serve follows one script on a connection, which it then leaves or keeps as HTTP says.
func (u *upstream) serve(conn *net.TCPConn) {
	defer conn.Close()
	stop := context.AfterFunc(u.ctx, func() { _ = conn.Close() })
	defer stop()
	reader := bufio.NewReaderSize(conn, 4096)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		name, heard, rest := read(request)
		s, c, found := u.ledger.begin(name, u.name)
		if !found {
			_, _ = io.WriteString(conn, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if !u.follow(conn, reader, heard, rest, s, c) {
			return
		}
	}
}

// read finds the name of the case in what is heard first, and returns the rest of the body.
func read(request *http.Request) (name, heard string, rest io.Reader) {
	begin := make([]byte, 512)
	n, _ := io.ReadFull(request.Body, begin)
	heard = fmt.Sprintf("%s %s %s", request.URL, begin[:n], request.Header["Authorization"])
	return caseName.FindString(heard), heard, request.Body
}

// follow reports whether the connection can be used again.
func (u *upstream) follow(conn *net.TCPConn, reader *bufio.Reader, heard string, rest io.Reader, s script, c *call) (keep bool) {
	defer func() {
		c.left = time.Now()
		close(c.ended)
	}()
	if s.fault != early {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return false
		}
	}
	if s.fault == hints {
		_, _ = io.WriteString(conn, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", s.at))
		s.at = len(s.answer.bytes)
	}
	send(conn, s.answer.bytes[:s.at], s.fault == trickle)
	switch s.fault {
	case reset:
		_ = conn.SetLinger(0)
		return false
	case garbage:
		_, _ = io.WriteString(conn, "\x00\xff\x16\x03\x01 "+heard+" }}}\r\n\r\n")
		return false
	case oversize:
		filler := strings.Repeat("x", 1<<20)
		for range 18 {
			if send(conn, filler, false) < len(filler) {
				return false
			}
		}
		return false
	case halfClose:
		_ = conn.CloseWrite()
		wait(reader)
		return false
	case hang:
		if s.at == len(s.answer.bytes) {
			return true // nothing is missing
		}
		close(c.stuck)
		wait(reader)
		return false
	case early:
		_, err := io.Copy(io.Discard, rest)
		return err == nil
	case closed, misstated, misframed:
		return false
	}
	return true
}

func send(conn net.Conn, text string, slowly bool) int {
	if !slowly {
		n, _ := io.WriteString(conn, text)
		return n
	}
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return i
		}
	}
	return len(text)
}

// wait returns when the gateway has closed the connection.
func wait(reader *bufio.Reader) {
	for {
		if _, err := reader.Discard(1); err != nil {
			return
		}
	}
}

var errOpen = errors.New("a call is still open")

// ended waits until the gateway has let go of all calls of a case.
func (l *ledger) ended(ctx context.Context, name string) error {
	for _, c := range l.all(name) {
		select {
		case <-c.ended:
		case <-ctx.Done():
			return errOpen
		}
	}
	return nil
}
