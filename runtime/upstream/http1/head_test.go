package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestHeads(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct{ method, text, want string }{
		{"GET", ok + "Content-Length: 5\r\n\r\n", "200 measured 5"},
		{"GET", ok + "content-LENGTH:5 \t\r\n\r\n", "200 measured 5"},
		{"GET", ok + "Content-Length: 0\r\n\r\n", "200 measured 0"},
		{"GET", ok + "Transfer-Encoding: Chunked\r\n\r\n", "200 chunks -1"},
		{"GET", ok + "\r\n", "200 until close -1 last"},
		{"GET", "HTTP/1.1 200\n\n", "200 until close -1 last"},
		{"GET", "HTTP/1.1 200 \nContent-Length: 1\n\n", "200 measured 1"},
		{"GET", "HTTP/1.9 200 OK\r\nContent-Length: 5\r\n\r\n", "200 measured 5"},
		{"GET", "HTTP/1.1 999 \xfcnicode\r\nContent-Length: 5\r\n\r\n", "999 measured 5"},
		// Without a body.
		{"HEAD", ok + "Content-Length: 5\r\n\r\n", "200 none 5"},
		{"HEAD", ok + "Transfer-Encoding: chunked\r\n\r\n", "200 none -1"},
		{"HEAD", ok + "\r\n", "200 none -1"},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 none 5"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "304 none -1"},
		{"GET", "HTTP/1.1 103 Early Hints\r\n\r\n", "103 none -1"},
		{"GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 none -1 last"},
		// What ends a connection.
		{"GET", ok + "Content-Length: 5\r\nConnection: a, CLOSE ,b\r\n\r\n", "200 measured 5 last"},
		{"GET", ok + "Content-Length: 5\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", "200 measured 5 last"},
		{"GET", ok + "Content-Length: 5\r\nConnection: closed\r\n\r\n", "200 measured 5"},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "200 measured 5 last"},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", "200 measured 5"},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n\r\n", "200 measured 5 last"},
		// Lengths.
		{"GET", ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "200 measured 5"},
		{"GET", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length: 5, 5\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length: +5\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length: -5\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length: 0x5\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length:\r\n\r\n", "malformed"},
		{"GET", ok + "Content-Length: 999999999999999999\r\n\r\n", "200 measured 999999999999999999"},
		{"GET", ok + "Content-Length: 9999999999999999999\r\n\r\n", "malformed"},
		{"HEAD", ok + "Content-Length: x\r\n\r\n", "malformed"},
		// Codings.
		{"GET", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "200 chunks -1 last"},
		{"GET", ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "200 chunks -1 last"},
		{"GET", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding: xchunked\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding:\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding: identity\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding: chunked\r\nTrailer: A, content-length\r\n\r\n", "malformed"},
		{"GET", ok + "Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n", "200 chunks -1"},
		// Lines.
		{"GET", "HTTP/1.1  200 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1\t200 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/2.0 200 OK\r\n\r\n", "malformed"},
		{"GET", "http/1.1 200 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1 20 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1 2000 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1 099 OK\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1 200 O\x00K\r\n\r\n", "malformed"},
		{"GET", "HTTP/1.1 200 O\rK\r\n\r\n", "malformed"},
		{"GET", "\r\nHTTP/1.1 200 OK\r\n\r\n", "malformed"},
		{"GET", ok + "A : b\r\n\r\n", "malformed"},
		{"GET", ok + " A: b\r\n\r\n", "malformed"},
		{"GET", ok + "A: b\r\n c\r\n\r\n", "malformed"},
		{"GET", ok + "A\r\n\r\n", "malformed"},
		{"GET", ok + ": b\r\n\r\n", "malformed"},
		{"GET", ok + "\xe4: b\r\n\r\n", "malformed"},
		{"GET", ok + "A: b\rc\r\n\r\n", "malformed"},
		{"GET", ok + "A: b\x7f\r\n\r\n", "malformed"},
		{"GET", ok + "A: \xe4\tb\r\nContent-Length: 5\r\n\r\n", "200 measured 5"},
		{"GET", ok + strings.Repeat("A: b\r\n", MaxFields) + "\r\n", "200 until close -1 last"},
		{"GET", ok + strings.Repeat("A: b\r\n", MaxFields+1) + "\r\n", "too long"},
	} {
		if got := describe(tt.method, tt.text); got != tt.want {
			t.Errorf("%s %.80q: %s; want %s", tt.method, tt.text, got, tt.want)
		}
	}
}

func describe(method, text string) string {
	if n := endOfHead([]byte(text), 0); n != len(text) {
		if i := strings.Index(text, "\r\nHTTP"); i != 0 {
			return fmt.Sprintf("ends at %d of %d", n, len(text))
		}
	}
	var h head
	switch err := h.parse([]byte(text), method); {
	case errors.Is(err, ErrHead):
		return "malformed"
	case errors.Is(err, ErrTooLong):
		return "too long"
	}
	said := fmt.Sprint(h.status, " ", map[framing]string{untilClose: "until close", unread: "none", measured: "measured", inChunks: "chunks"}[h.framing], " ", h.length)
	if h.last {
		said += " last"
	}
	return said
}

// Wherever reads cut a head, its end is found, and not before it has come.
func TestTheEndOfAHead(t *testing.T) {
	for _, text := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\nA: b\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\n"} {
		whole := []byte(text + "\r\n\r\n")
		for first := range whole {
			for second := first; second <= len(whole); second++ {
				want := 0
				if second >= len(text) {
					want = len(text)
				}
				seen := first
				if endOfHead(whole[:first], 0) > 0 {
					seen = 0 // it would not be looked at again
				}
				if got := endOfHead(whole[:second], seen); got != want {
					t.Fatalf("%q, of which %d bytes were seen: %d, want %d", whole[:second], seen, got, want)
				}
			}
		}
	}
}
