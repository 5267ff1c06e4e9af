//go:build hostile && linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// connections are clients that do not behave as clients do.
var connections = []attack{
	{name: "slow-heads", parallel: 200, does: func(ctx context.Context, s *assault) {
		slowly(ctx, s, "POST /any HTTP/1.1\r\nHost: gateway\r\n", "X-A: b\r\n")
	}},
	{name: "slow-bodies", parallel: 200, does: func(ctx context.Context, s *assault) {
		slowly(ctx, s, "POST /any HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n[", " ")
	}},
	{name: "missing-bodies", parallel: 200, unanswered: true, requests: one([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"))},
	{name: "bodies-that-expect-to-be-asked-for", parallel: 100, unanswered: true, accept: []int{100}, requests: one([]byte(
		"POST /any HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"))},
	{name: "bodies-shorter-than-they-say", does: func(ctx context.Context, s *assault) {
		again(ctx, func() { s.leave([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n{}")) })
	}},
	{name: "bodies-longer-than-they-say", accept: []int{200}, requests: lazily(func() []byte {
		return append([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"), bytes.Repeat([]byte("x"), mebi)...)
	})},
	{name: "tiny-chunks", accept: []int{200}, requests: lazily(func() []byte { return chunked("/any", "1", " ", 500_000) })},
	{name: "chunks-with-long-extensions", head: true, accept: []int{200}, requests: lazily(func() []byte {
		return chunked("/any", "1;"+strings.Repeat("x", 4000), " ", 500)
	})},
	{name: "chunks-that-are-wrong", head: true, requests: one([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}"))},
	{name: "clients-that-leave-at-once", parallel: 50, does: func(ctx context.Context, s *assault) {
		message := chat("silent", streaming)
		again(ctx, func() { s.leave(message) })
	}},
	{name: "clients-that-leave-large-bodies", does: func(ctx context.Context, s *assault) {
		message := post("/union-unbounded", string(list("{}", 199_000)))
		again(ctx, func() { s.leave(message) })
	}},
	{name: "connections-without-a-request", parallel: 20, does: func(ctx context.Context, s *assault) {
		idle(ctx, s, 100)
	}},
	{name: "requests-in-a-pipeline", parallel: 10, does: pipeline},
	{name: "many-small-requests", parallel: 50, accept: []int{200}, requests: one(post("/integer", `{"i": 2}`))},
	{name: "unknown-paths", parallel: 50, requests: one(post("/nowhere", "{}"))},
	{name: "documents-again-and-again", accept: []int{200}, requests: one(get("/openapi.json", ""))},
}

func TestConnections(t *testing.T) { try(t, connections) }

// chunked is a request whose body is a text of n chunks.
func chunked(path, size, chunk string, n int) []byte {
	one := size + "\r\n" + chunk + "\r\n"
	return []byte("POST " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"1\r\n\"\r\n" + strings.Repeat(one, n) + "1\r\n\"\r\n0\r\n\r\n")
}

// again does something until ctx ends, no more often than a hundred times a second.
func again(ctx context.Context, do func()) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		<-tick.C
	}
}

// dial connects, or counts why not.
func (s *assault) dial() net.Conn {
	conn, err := net.DialTimeout("tcp", s.address, s.patience())
	if err != nil {
		s.count(unconnected(err))
		return nil
	}
	return conn
}

// leave sends a request and hangs up.
func (s *assault) leave(message []byte) {
	conn := s.dial()
	if conn == nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(s.patience()))
	_, _ = conn.Write(message)
	_ = conn.Close()
	s.count(outcome{text: "left"})
}

// slowly sends a first part, and then a little again and again.
func slowly(ctx context.Context, s *assault, first, little string) {
	conn := s.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	_, err := conn.Write([]byte(first))
	again(ctx, func() {
		if err == nil {
			_, err = conn.Write([]byte(little))
		}
	})
	s.count(outcome{text: "left"})
}

// idle holds connections on which nothing happens.
func idle(ctx context.Context, s *assault, n int) {
	for range n {
		conn := s.dial()
		if conn == nil {
			return
		}
		defer conn.Close()
	}
	<-ctx.Done()
	s.count(outcome{text: fmt.Sprintf("%d connections left", n)})
}

// pipeline sends many requests on one connection before it reads an answer.
func pipeline(ctx context.Context, s *assault) {
	message := bytes.Repeat([]byte("POST /integer HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"i\": 3}"), 200)
	again(ctx, func() {
		conn := s.dial()
		if conn == nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(s.patience()))
		if _, err := conn.Write(message); err != nil {
			return
		}
		in := bufio.NewReader(conn)
		for answered := 0; answered < 200 && ctx.Err() == nil; answered++ {
			line, err := in.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
				s.count(outcome{text: fmt.Sprintf("pipelined: %q %v", line, err), wrong: true})
				return
			}
			for line != "\r\n" && err == nil {
				line, err = in.ReadString('\n')
			}
			_, _ = in.Discard(len(`{"i":3}`))
		}
		s.count(outcome{text: "pipelined"})
	})
}
