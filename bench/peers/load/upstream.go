// Package load is both ends of a measurement: a scripted model that costs little, and clients that ask for it through a
// server under measurement. Both speak HTTP/1.1 over loopback without net/http, so that they leave the processor to that
// server.
package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The models that the upstream has. A request is for the one whose name stands in quotes in its body.
const (
	// Whole answers with one JSON document.
	Whole = "whole"
	// Paced streams Tokens events, the first at once and each further one Pace after the one before.
	Paced = "paced"
	// Brief streams two events at once, and ends.
	Brief = "brief"
	// Held streams one event, and stays silent until its client goes.
	Held = "held"
)

const (
	// Tokens is the length of an answer, and the number of its events.
	Tokens = 64
	// Pace is the time between two events of Paced.
	Pace = 10 * time.Millisecond
)

// Upstream is the scripted model.
type Upstream struct {
	listener net.Listener
	ctx      context.Context //nolint:containedctx // Close ends what each connection waits for
	stop     context.CancelFunc
	open     sync.WaitGroup
	held     atomic.Int64
}

// NewUpstream listens on a free port of loopback.
func NewUpstream(ctx context.Context) (*Upstream, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the upstream: %w", err)
	}
	u := &Upstream{listener: l}
	u.ctx, u.stop = context.WithCancel(ctx)
	u.open.Go(u.accept)
	return u, nil
}

// Address is where it listens.
func (u *Upstream) Address() string { return u.listener.Addr().String() }

// Held is the number of streams of that model that are open.
func (u *Upstream) Held() int { return int(u.held.Load()) }

// Close ends all connections.
func (u *Upstream) Close() {
	u.stop()
	_ = u.listener.Close()
	u.open.Wait()
}

func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.open.Go(func() {
			defer context.AfterFunc(u.ctx, func() { _ = c.Close() })()
			defer func() { _ = c.Close() }()
			u.serve(c)
		})
	}
}

// serve answers the requests of a connection, one after the other.
func (u *Upstream) serve(c net.Conn) {
	requests := bufio.NewReaderSize(c, 16<<10)
	var body []byte
	for {
		h, err := readHead(requests)
		if err != nil {
			return
		}
		if body, err = h.appendBody(requests, body[:0]); err != nil {
			return
		}
		if err := u.answer(c, requests, body); err != nil {
			return
		}
	}
}

func (u *Upstream) answer(c net.Conn, r *bufio.Reader, body []byte) (err error) {
	asks := func(model string) bool { return bytes.Contains(body, []byte(`"`+model+`"`)) }
	switch {
	case asks(Paced):
		return u.pace(c)
	case asks(Brief):
		_, err = c.Write(brief)
	case asks(Held):
		u.held.Add(1) // before its client can see the event
		defer u.held.Add(-1)
		if _, err = c.Write(streamStart); err != nil {
			return err
		}
		_, err = r.Peek(1) // until the client goes
	default:
		_, err = c.Write(whole)
	}
	return err
}

func (u *Upstream) pace(c net.Conn) error {
	if _, err := c.Write(streamStart); err != nil {
		return err
	}
	tick := time.NewTicker(Pace)
	defer tick.Stop()
	for range Tokens - 1 {
		select {
		case <-u.ctx.Done():
			return u.ctx.Err()
		case <-tick.C:
		}
		if _, err := c.Write(event); err != nil {
			return err
		}
	}
	_, err := c.Write(streamEnd)
	return err
}

// What is answered, as bytes of HTTP/1.1.
var (
	whole       = wholeAnswer()
	streamStart = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" +
		"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(delta(`{"role":"assistant","content":"token "}`, "null")))
	event     = []byte(chunk(delta(`{"content":"token "}`, "null")))
	streamEnd = []byte(chunk(delta(`{}`, `"stop"`)) + chunk("data: [DONE]\n\n") + "0\r\n\r\n")
	brief     = bytes.Join([][]byte{streamStart, streamEnd}, nil)
)

// EventBytes is the size of an event, without its chunk's frame.
func EventBytes() int { return len(delta(`{"content":"token "}`, "null")) }

// WholeBytes is the size of a whole answer's body.
func WholeBytes() int { return len(whole) - bytes.Index(whole, []byte("\r\n\r\n")) - 4 }

func wholeAnswer() []byte {
	body := `{"id":"chatcmpl-1","object":"chat.completion","created":1796000000,"model":"m","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"` + strings.Repeat("token ", Tokens) + `"},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":16,"completion_tokens":64,"total_tokens":80}}`
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func delta(delta, finish string) string {
	return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1796000000,"model":"m",` +
		`"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + "}]}\n\n"
}

func chunk(data string) string {
	return strconv.FormatInt(int64(len(data)), 16) + "\r\n" + data + "\r\n"
}
