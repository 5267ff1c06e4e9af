package enginetest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An engine that has nothing in common with the first one keeps the contract, too: what is in neither of them is relay's.
func TestASecondEngine(t *testing.T) {
	enginetest.Run(t, func(b enginetest.Bounds) relay.Engine { return &pipeEngine{bounds: b, open: map[*line]struct{}{}} })
}

// pipeEngine is an engine for connections in memory: it has no use for a kernel's buffers, and lets anybody connect.
type pipeEngine struct {
	bounds enginetest.Bounds
	policy relay.Policy

	mu       sync.Mutex
	draining bool
	busy     int
	open     map[*line]struct{}
}

// Serve implements relay.Engine.
func (e *pipeEngine) Serve(ctx context.Context, l net.Listener, p relay.Policy) error {
	e.policy = p
	requests, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	var lines sync.WaitGroup
	lines.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c := &line{Conn: conn, engine: e, context: requests, writes: relay.NewProgress(conn, e.bounds.WriteTimeout)}
			c.reader = bufio.NewReader(c)
			e.note(func() { e.open[c] = struct{}{} })
			lines.Go(c.serve)
		}
	})
	<-ctx.Done()
	e.note(func() { e.draining = true })
	<-time.After(e.bounds.DrainDelay)
	_ = l.Close()
	e.await(e.bounds.DrainTimeout)
	end(relay.Failure{Kind: relay.FailedDraining})
	e.await(relay.LastWords)
	e.note(func() {
		for c := range e.open {
			_ = c.Close()
		}
	})
	lines.Wait()
	return nil
}

func (e *pipeEngine) note(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// await waits until nothing is in flight.
func (e *pipeEngine) await(within time.Duration) {
	until := time.Now().Add(within)
	for busy := 1; busy > 0 && time.Now().Before(until); {
		<-time.After(100 * time.Millisecond)
		e.note(func() { busy = e.busy })
	}
}

// line is a connection. It reads a byte ahead to notice that its client leaves.
type line struct {
	net.Conn

	engine  *pipeEngine
	context context.Context
	writes  *relay.Progress
	reader  *bufio.Reader
	early   []byte
}

func (c *line) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// watch returns a context that ends when the client leaves.
func (c *line) watch() (context.Context, func()) {
	ctx, leave := context.WithCancel(c.context)
	ended := make(chan struct{})
	_ = c.SetReadDeadline(time.Time{})
	go func() {
		defer close(ended)
		one := make([]byte, 1)
		n, err := c.Conn.Read(one)
		c.early = append(c.early, one[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			leave()
		}
	}()
	return ctx, func() {
		_ = c.SetReadDeadline(time.Now())
		<-ended
		leave()
	}
}

func (c *line) serve() {
	defer c.engine.note(func() { delete(c.engine.open, c) })
	defer func() { _ = c.Close() }()
	for again := true; again; {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		r, err := http.ReadRequest(c.reader)
		if err != nil {
			return
		}
		t := &turn{line: c, request: r, arrived: r.ContentLength == 0, expects: r.Header.Get("Expect") != ""}
		head := &relay.Head{
			Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			Header: r.Header, Host: r.Host, Peer: c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(), ContentLength: r.ContentLength,
		}
		t.asked = head
		again = t.finish(relay.Serve(c.engine.policy, head, t)) && !r.Close
	}
}

// turn implements relay.Conn.
type turn struct {
	*line

	request  *http.Request
	asked    *relay.Head
	arrived  bool
	expects  bool
	watching func() // stops it
	context  context.Context
	busy     bool
	chunks   bool
	closing  bool
}

func (t *turn) Context() context.Context {
	if t.context == nil && t.arrived {
		t.work(1)
		t.context, t.watching = t.watch()
	}
	if t.context == nil {
		return t.line.context
	}
	return t.context
}

func (t *turn) work(more int) {
	t.engine.note(func() { t.engine.busy += more })
	t.busy = more > 0
}

func (t *turn) Await() (context.Context, func()) {
	t.work(1)
	ctx, stop := t.watch()
	return ctx, func() { stop(); t.work(-1) }
}

// Body implements relay.Conn.
func (t *turn) Body(m relay.Memory, limit int64) ([]byte, error) {
	if t.arrived {
		return nil, nil
	}
	body, err := relay.ReadAll(t.line.context, m, t, t.request.ContentLength, int(limit))
	t.arrived = err == nil
	return body, err
}

// Read reads the body.
func (t *turn) Read(p []byte) (int, error) {
	if t.expects {
		t.expects = false
		if _, err := io.WriteString(t.writes, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	_ = t.SetReadDeadline(time.Now().Add(t.engine.bounds.BodyTimeout))
	return t.request.Body.Read(p)
}

func (t *turn) head(status int, header http.Header) *bytes.Buffer {
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	all := http.Header{}
	maps.Copy(all, header)
	for _, f := range t.asked.Echo {
		all[f.Name] = []string{f.Value}
	}
	_ = all.Write(&head)
	t.engine.note(func() { t.closing = t.engine.draining || !t.arrived })
	if t.closing {
		head.WriteString("Connection: close\r\n")
	}
	return &head
}

// Reply implements relay.Conn.
func (t *turn) Reply(r *relay.Reply) error {
	_ = t.writes.Until(time.Now().Add(t.engine.bounds.ReplyTimeout))
	head := t.head(r.Status, r.Header)
	head.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n\r\n")
	head.Write(r.Body)
	_, err := head.WriteTo(t.writes)
	return err
}

// Begin implements relay.Conn.
func (t *turn) Begin(header http.Header, until time.Time) error {
	_ = t.writes.Until(until)
	t.chunks = true
	head := t.head(http.StatusOK, header)
	head.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	_, err := head.WriteTo(t.writes)
	return err
}

// Send implements relay.Conn.
func (t *turn) Send(events []byte) error {
	if len(events) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(t.writes, "%x\r\n%s\r\n", len(events), events)
	return err
}

// finish ends the answer, and reports whether the connection may have another request.
func (t *turn) finish(whole bool) bool {
	if t.watching != nil {
		t.watching()
	}
	if whole && t.chunks {
		_, err := io.Copy(t.writes, strings.NewReader("0\r\n\r\n"))
		whole = err == nil
	}
	if t.busy {
		t.work(-1)
	}
	if whole && !t.arrived {
		_ = t.SetReadDeadline(time.Now().Add(time.Second)) // a client that sends first reads later
		_, _ = io.CopyN(io.Discard, t.request.Body, 1<<20)
	}
	return whole && !t.closing
}
