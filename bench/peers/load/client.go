package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// Target is what is asked, and how.
type Target struct {
	// Address is where the server listens.
	Address string
	// Typed is set if requests go to its typed routes, which have a schema, and not to /v1/chat/completions.
	Typed bool
}

// typedPaths are the typed routes that stand for the models.
var typedPaths = map[string]string{Whole: "/answer", Paced: "/stream", Brief: "/brief", Held: "/hold"}

// Request is the bytes of a request for a model, with a body of so many bytes, or a little more if it does not fit.
func (t Target) Request(model string, size int) []byte {
	path, before, after := "/v1/chat/completions", `{"model":"`+model+`",`, `"}]}`
	if model != Whole {
		before += `"stream":true,`
	}
	before += `"messages":[{"role":"user","content":"`
	if t.Typed {
		path, before, after = typedPaths[model], `{"question":"`, `"}`
	}
	body := before + strings.Repeat("x", max(1, size-len(before)-len(after))) + after
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, t.Address, len(body), body)
}

// conn is a client's connection.
type conn struct {
	net.Conn

	r *bufio.Reader
}

// patience bounds each exchange.
const patience = 30 * time.Second

func (t Target) dial(ctx context.Context) (*conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}, nil
}

// ask sends a request and reads its answer to the end. It returns the number of events, and the time to the first byte of the
// body.
func (c *conn) ask(request []byte) (events int, first time.Duration, err error) {
	begun := time.Now()
	h, err := c.begin(request)
	if err != nil {
		return 0, 0, err
	}
	err = h.each(c.r, func(piece []byte) {
		if first == 0 {
			first = time.Since(begun)
		}
		events += bytes.Count(piece, []byte("data:"))
	})
	return events, first, err
}

// begin sends a request, and reads the head of its answer.
func (c *conn) begin(request []byte) (h head, err error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request); err != nil {
		return h, fmt.Errorf("send a request: %w", err)
	}
	if h, err = readHead(c.r); err != nil {
		return h, err
	}
	if !h.ok() {
		var text []byte
		text, _ = h.appendBody(c.r, nil)
		return h, fmt.Errorf("answered %q: %.300s", bytes.TrimRight(h.first[:], "\x00"), text)
	}
	return h, nil
}

// Once asks for one whole answer, on a connection of its own.
func (t Target) Once(ctx context.Context) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, _, err = c.ask(t.Request(Whole, 64))
	return err
}
