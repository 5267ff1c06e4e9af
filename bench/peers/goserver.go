package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// asServer has this program be one of the servers of Go, not the measurement: its kind, the address to listen on, and the
// upstream's.
const asServer = "LLMSERVICE_BENCH_SERVE"

// serving runs a server until it is killed, if the environment wants one.
func serving() bool {
	var kind, address, upstream string
	if n, _ := fmt.Sscan(os.Getenv(asServer), &kind, &address, &upstream); n < 3 {
		return false
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err == nil && kind == "relay" {
		err = (&relay{upstream: upstream}).serve(l)
	} else if err == nil {
		err = reverseProxy(l, upstream)
	}
	fmt.Fprintln(os.Stderr, kind, err)
	return true
}

func goPeer(kind, name string) peer {
	return peer{
		name:  name,
		about: func(context.Context) (string, error) { return runtime.Version(), nil },
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			self, err := os.Executable()
			cmd := exec.CommandContext(ctx, self) //nolint:gosec // this program
			cmd.Env = append(os.Environ(), asServer+"="+kind+" "+p.address+" "+p.upstream, "GOMAXPROCS=1")
			return cmd, err
		},
	}
}

// reverseProxy is Go's with a pool of connections that suits the load. It flushes streams at once by itself.
func reverseProxy(l net.Listener, upstream string) error {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 2 * time.Minute, DisableCompression: true}
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	return (&http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

// relay passes bytes on: one goroutine for each client does the whole exchange, on a pooled connection of the upstream. It checks
// nothing, and has no deadlines: it is the least that a program in Go can cost.
type relay struct {
	upstream string

	mu   sync.Mutex
	idle []*wire
}

type wire struct {
	net.Conn

	r   *bufio.Reader
	buf []byte
}

func newWire(c net.Conn) *wire { return &wire{Conn: c, r: bufio.NewReaderSize(c, 4<<10)} }

func (r *relay) serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			for client := newWire(c); r.exchange(client) == nil; {
			}
		}()
	}
}

func (r *relay) exchange(client *wire) error {
	if _, err := client.r.Peek(1); err != nil {
		return err
	}
	model, err := r.take()
	if err != nil {
		return err
	}
	if err := errors.Join(pass(client, model), pass(model, client)); err != nil {
		_ = model.Close()
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, model)
	return nil
}

// take returns a connection of the upstream, the one that was used last if there is one.
func (r *relay) take() (*wire, error) {
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		defer r.mu.Unlock()
		last := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return last, nil
	}
	r.mu.Unlock()
	c, err := net.Dial("tcp", r.upstream) //nolint:noctx // it ends when it is killed
	if err != nil {
		return nil, err
	}
	return newWire(c), nil
}

// pass passes one message on, and writes whenever nothing more has arrived.
func pass(from, to *wire) error {
	p := passage{from: from.r, to: to, buf: from.buf[:0]}
	defer func() { from.buf = p.buf }()
	length, chunked := p.head()
	if p.err == nil && !chunked {
		p.bytes(length)
	}
	for chunked && p.err == nil {
		size, _, _ := bytes.Cut(bytes.TrimRight(p.line(), "\r\n"), []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil {
			p.err = errors.Join(p.err, err)
			break
		}
		p.bytes(n + 2)
		if n == 0 {
			break
		}
		if from.r.Buffered() == 0 {
			p.flush()
		}
	}
	p.flush()
	return p.err
}

type passage struct {
	from *bufio.Reader
	to   io.Writer
	buf  []byte
	err  error
}

func (p *passage) head() (length int64, chunked bool) {
	for p.err == nil {
		line := bytes.TrimRight(p.line(), "\r\n")
		if len(line) == 0 {
			return length, chunked
		}
		if value, ok := field(line, "Content-Length"); ok {
			length, p.err = strconv.ParseInt(value, 10, 64)
		}
		if value, ok := field(line, "Transfer-Encoding"); ok {
			chunked = value == "chunked"
		}
	}
	return 0, false
}

func field(line []byte, name string) (value string, ok bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return "", false
	}
	return string(bytes.TrimSpace(line[len(name)+1:])), true
}

func (p *passage) line() []byte {
	line, err := p.from.ReadSlice('\n')
	p.err = errors.Join(p.err, err)
	p.buf = append(p.buf, line...)
	return line
}

// bytes passes so many bytes on, as they come.
func (p *passage) bytes(n int64) {
	for n > 0 && p.err == nil {
		if _, err := p.from.Peek(1); err != nil {
			p.err = err
			return
		}
		have, _ := p.from.Peek(int(min(int64(p.from.Buffered()), n)))
		p.buf = append(p.buf, have...)
		n -= int64(len(have))
		_, _ = p.from.Discard(len(have))
		if n > 0 && len(p.buf) >= 32<<10 {
			p.flush()
		}
	}
}

func (p *passage) flush() {
	if len(p.buf) > 0 && p.err == nil {
		_, p.err = p.to.Write(p.buf)
	}
	p.buf = p.buf[:0]
}
