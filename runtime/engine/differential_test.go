package engine_test

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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// heads are what clients may send, and what attackers do: each is a seed, and is answered alike by both engines.
var heads = []string{
	"GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: application/json\r\n\r\nabc",
	"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	// Two on one connection.
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	// Empty lines, and too little of a head, after an answer.
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\n\r\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\nG", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\nGE",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET", "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET ",
	// Two lengths, or two ways to say it.
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
	// Chunks.
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: a\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnot a field\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 1000) + "\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000) + "\r\na\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("x", 500)+"\r\na\r\n", 100) + "0\r\n\r\n",
	// Lines.
	"GET / HTTP/1.1\nHost: x\n\n",
	"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
	"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\na_b: \t c \t\r\na_B: d\r\nA-b: \xff\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", 70<<10) + "\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA:",
	"GET / HT",
	// Versions, methods and targets.
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET / http/1.1\r\nHost: x\r\n\r\n", "GET /\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", "get / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET http://a/b HTTP/1.1\r\nHost: x\r\n\r\n", "GET //a/b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a%2Fb%20c?d=%20&? HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\xc3\xbc?\xc3\xbc HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a\x7f HTTP/1.1\r\nHost: x\r\n\r\n", "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a:b;c=d,e HTTP/1.1\r\nHost: x\r\n\r\n", "GET /../a/./b HTTP/1.1\r\nHost: x\r\n\r\n",
	// Hosts.
	"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / HTTP/1.1\r\nhOST: user@x/\r\n\r\n",
	// Fields that mean something to a server.
	"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 3\r\n\r\nabc",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, CLOSE\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	// Bodies that are refused.
	"POST /full HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000) + "GET /b HTTP/1.1\r\nHost: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
	"POST /panic HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
	// Answers.
	"GET /status/204 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/304 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/299 HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /fields HTTP/1.1\r\nHost: x\r\n\r\n", "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
}

// TestBothEnginesAnswerAlike sends the same bytes to both engines. What they answer has to be the same, and so what they have told
// the policy, which answers with it: acceptance, framing, and each byte that could be forwarded.
func TestBothEnginesAnswerAlike(t *testing.T) {
	addrs := map[string]string{}
	for name, e := range engines {
		addrs[name] = strings.TrimPrefix(serve(t, e, telling(), nil), "http://")
	}
	for i, head := range heads {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			sent := []byte(head)
			var got, want answered
			for range tries {
				want, got = answersTo(t, addrs["nethttp"], sent), answersTo(t, addrs["http1"], sent)
				if got.agrees(want) {
					return
				}
			}
			t.Errorf("to %q\nhttp1 answers   %q\nnethttp answers %q", sent, got.text, want.text)
		})
	}
}

// tries bounds how often the engines are compared. A client that has sent all counts as gone once that is noticed, which may be
// before it is answered; an engine that answers otherwise does so each time.
const tries = 20

// answered is all answers on one connection, without what may differ, and whether the connection was ended in order.
type answered struct {
	text  string
	whole bool
}

// agrees reports whether two engines have answered alike. A reset may lose the end of either.
func (a answered) agrees(b answered) bool {
	if a.whole && b.whole {
		return a.text == b.text
	}
	return strings.HasPrefix(a.text, b.text) || strings.HasPrefix(b.text, a.text)
}

// telling is a policy that answers with the request as it came.
func telling() *fakePolicy {
	return &fakePolicy{Memory: relay.Unlimited, decide: func(_ context.Context, r *relay.Request) relay.Verdict {
		reply := &relay.Reply{Status: http.StatusOK, Body: told(r)}
		switch r.Path {
		case "/status/204", "/status/304", "/status/299":
			_, _ = fmt.Sscanf(r.Path, "/status/%d", &reply.Status)
			reply.Header = http.Header{"Content-Type": {"text/css"}, "Etag": {"x"}}
		case "/fields":
			reply.Header = http.Header{"X-A": {" b\r\nc: d ", "e"}, "not a name": {"f"}, "Content-Length": {"1"}}
		case "/stream":
			return relay.Verdict{Stream: produced(func(_ context.Context, out relay.Sink) error {
				return errors.Join(out.Send([]byte("data: c\n\n"), relay.Content), out.Send([]byte("data: d\n\n"), relay.Done))
			})}
		}
		return relay.Verdict{Reply: reply}
	}}
}

// told is a request in words.
func told(r *relay.Request) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%q %q %q %q %q %d %q\n", r.Method, r.Path, r.EscapedPath, r.RawQuery, r.Host, r.ContentLength, r.Body)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&text, "%q: %q\n", name, r.Header[name])
	}
	return text.Bytes()
}

func answersTo(t *testing.T, addr string, sent []byte) answered {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, writeErr := conn.Write(sent)
	_ = conn.(*net.TCPConn).CloseWrite()
	all, readErr := io.ReadAll(conn)
	return answered{inOrder(all), writeErr == nil && readErr == nil}
}

// inOrder is a sequence of answers with the fields of each in one order, and no dates.
func inOrder(all []byte) string {
	var text strings.Builder
	answers := bufio.NewReader(bytes.NewReader(all))
	for {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			rest, _ := io.ReadAll(answers)
			fmt.Fprintf(&text, "and %q", rest)
			return text.String()
		}
		body, err := io.ReadAll(resp.Body)
		resp.Header.Del("Date")
		fmt.Fprintf(&text, "%s %s %v %v %d %q %v\n", resp.Proto, resp.Status, resp.Header, resp.TransferEncoding, resp.ContentLength, body, err)
	}
}
