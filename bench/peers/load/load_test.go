package load

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"time"
)

func upstream(t *testing.T) (*Upstream, Target) {
	t.Helper()
	u, err := NewUpstream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u, Target{Address: u.Address()}
}

func TestRequestsHaveTheirSize(t *testing.T) {
	for _, size := range []int{64, 8 << 10, 128 << 10} {
		for _, to := range []Target{{}, {Typed: true}} {
			_, body, _ := bytes.Cut(to.Request(Whole, size), []byte("\r\n\r\n"))
			if len(body) != size {
				t.Errorf("typed %v: %d bytes, want %d", to.Typed, len(body), size)
			}
		}
	}
}

func TestWorkloads(t *testing.T) {
	u, to := upstream(t)
	ctx := t.Context()
	if n, err := to.Whole(ctx, 2, 8<<10, 20*time.Millisecond); err != nil || n < 2 {
		t.Errorf("whole: %d, %v", n, err)
	}
	if n, err := to.Paced(ctx, 2, 1); err != nil || n != 2*Tokens {
		t.Errorf("paced: %d, %v", n, err)
	}
	whole, first, err := to.Rate(ctx, Brief, 1000, 20*time.Millisecond)
	if err != nil || len(whole) != 20 || len(first) != 20 {
		t.Fatalf("rate: %d, %d, %v", len(whole), len(first), err)
	}
	for i := range whole {
		if first[i] <= 0 || whole[i] < first[i] {
			t.Errorf("the first byte came after %v, the last after %v", first[i], whole[i])
		}
	}
	called := 0
	n, err := to.Churn(ctx, 5, 10*time.Millisecond, func() error {
		called++
		return nil
	})
	if err != nil || n < 1 || called != 1 {
		t.Errorf("churn: %d, %v; called %d times", n, err, called)
	}
	if err := to.Hold(ctx, 20, func() error {
		if u.Held() != 20 {
			t.Errorf("%d are held", u.Held())
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerThatIsNotOneFails(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy":                      "busy",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbu":                        "unexpected EOF",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n":                          "does not understand",
		"HTTP/1.1 200 OK\r\n":                                                   "EOF",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n":            "does not understand",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n":      "does not understand",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n": "EOF",
	} {
		r := bufio.NewReader(strings.NewReader(text))
		h, err := readHead(r)
		var body []byte
		if err == nil {
			body, err = h.appendBody(r, nil)
		}
		if err == nil && !h.ok() {
			if string(body) != want {
				t.Errorf("%q: %q", text, body)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestChunksAreJoined(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\nrest"))
	h, err := readHead(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := h.appendBody(r, nil); err != nil || string(body) != "abc" {
		t.Errorf("%q, %v", body, err)
	}
	if rest, _ := r.Peek(4); string(rest) != "rest" {
		t.Errorf("%q is left", rest)
	}
}
