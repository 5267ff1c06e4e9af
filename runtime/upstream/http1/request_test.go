package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/pieces"
)

func TestRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		request Request
		want    []string // the lines, in order of the alphabet but for the first two
		body    string
	}{
		"no body": {
			Request{Method: "GET", Host: "h:1", Target: "/a?b=c"},
			[]string{"GET /a?b=c HTTP/1.1", "Host: h:1"},
			"",
		},
		"a body": {
			Request{Method: "POST", Host: "h", Target: "/", Header: http.Header{"A": {" b\t", "c"}, "D": nil, "E": {""}}, Body: pieces.Text{[]byte("hello")}},
			[]string{"POST / HTTP/1.1", "Host: h", "A: b", "A: c", "Content-Length: 5", "E: "},
			"hello",
		},
		"an empty body": {
			Request{Method: "POST", Host: "h", Target: "/"},
			[]string{"POST / HTTP/1.1", "Host: h", "Content-Length: 0"},
			"",
		},
		"the framing is ours": {
			Request{Method: "PUT", Host: "h", Target: "/", Header: http.Header{"Content-Length": {"9"}, "Host": {"x"}, "Connection": {"keep-alive"}}, Body: pieces.Text{[]byte("a")}},
			[]string{"PUT / HTTP/1.1", "Host: h", "Content-Length: 1"},
			"a",
		},
		"the last": {
			Request{Method: "GET", Host: "h", Target: "/", Close: true},
			[]string{"GET / HTTP/1.1", "Host: h", "Connection: close"},
			"",
		},
		"the last, by a field": {
			Request{Method: "GET", Host: "h", Target: "/", Header: http.Header{"Connection": {"a, Close"}}},
			[]string{"GET / HTTP/1.1", "Host: h", "Connection: close"},
			"",
		},
		"more than a buffer": {
			Request{Method: "PUT", Host: "h", Target: "/", Header: http.Header{"A": {strings.Repeat("x", 2*bufferSize)}}, Body: pieces.Text{[]byte(strings.Repeat("y", inline+bufferSize))}},
			[]string{"PUT / HTTP/1.1", "Host: h", "A: " + strings.Repeat("x", 2*bufferSize), "Content-Length: 36864"},
			strings.Repeat("y", inline+bufferSize),
		},
	} {
		var got []string
		var body string
		c := dial(t, newPool(), server(t, func(c net.Conn, requests *bufio.Reader) {
			for {
				line, err := requests.ReadString('\n')
				if err != nil || line == "\r\n" {
					break
				}
				got = append(got, strings.TrimSuffix(line, "\r\n"))
			}
			text := make([]byte, len(tt.body))
			_, _ = io.ReadFull(requests, text)
			body = string(text)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}))
		if _, _, err := exchange(t, c, &tt.request); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		slices.Sort(got[min(2, len(got)):])
		if !slices.Equal(got, tt.want) || body != tt.body {
			t.Errorf("%s: %.100q %.50q; want %.100q", name, got, body, tt.want)
		}
	}
}

// A field that would end its line, or the head, is not sent.
func TestFieldsThatAreNotSent(t *testing.T) {
	for _, header := range []http.Header{{"A": {"b\r\nC: d"}}, {"A\r\nB": {"c"}}, {"A b": {"c"}}, {"": {"c"}}, {"A": {"\x00"}}} {
		c := dial(t, newPool(), idling(t))
		if _, _, err := exchange(t, c, &Request{Method: "GET", Host: "h", Target: "/", Header: header}); !errors.Is(err, ErrRequest) || c.Written() {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestRequestsThatAreNotPlain(t *testing.T) {
	plain := Request{Method: "GET", Host: "h", Target: "/"}
	if !plain.Plain() {
		t.Error("the plain one is not")
	}
	for name, edit := range map[string]func(*Request){
		"a method":          func(r *Request) { r.Method = "G T" },
		"CONNECT":           func(r *Request) { r.Method = "CONNECT" },
		"a host":            func(r *Request) { r.Host = "hößt" },
		"no host":           func(r *Request) { r.Host = "" },
		"a space":           func(r *Request) { r.Target = "/a b" },
		"a line":            func(r *Request) { r.Target = "/a\r\n" },
		"Transfer-Encoding": func(r *Request) { r.Header = http.Header{"Transfer-Encoding": {"chunked"}} },
		"Expect":            func(r *Request) { r.Header = http.Header{"Expect": {"100-continue"}} },
		"Upgrade":           func(r *Request) { r.Header = http.Header{"Upgrade": {"h2c"}} },
	} {
		r := plain
		if edit(&r); r.Plain() {
			t.Errorf("%s: plain", name)
		}
	}
}
