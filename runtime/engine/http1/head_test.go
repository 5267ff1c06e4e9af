package http1

import (
	"bufio"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/relay"
)

// What clients usually send is read here: otherwise the engine would be right, and pointless.
func TestUsualHeadsAreKnown(t *testing.T) {
	for name, head := range map[string]string{
		"curl":     "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n",
		"httpx":    "POST /answer HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\nContent-Length: 20\r\nContent-Type: application/json\r\nAuthorization: Bearer x\r\n\r\n",
		"Go":       "POST /answer?q=1 HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: Go-http-client/1.1\r\nTransfer-Encoding: chunked\r\nAccept-Encoding: gzip\r\n\r\n",
		"undici":   "POST /items/%7Bid%7D HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\ncontent-type: application/json\r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\ncontent-length: 2\r\n\r\n",
		"a probe":  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"a cookie": "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nCookie: c=d\r\nX-Name: \xc3\xbc\r\n\r\n",
	} {
		if !(&request{}).parse(head) {
			t.Errorf("%s: left to net/http", name)
		}
	}
}

// Whatever is read here, net/http accepts, too, and reads alike.
func FuzzHeads(f *testing.F) {
	for _, head := range []string{
		"GET /a?b HTTP/1.1\r\nHost: x\r\nA: b\r\na: c\r\n\r\n",
		"POST /a%2F HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\nConnection: close\r\n\r\n",
		"PUT // HTTP/1.1\r\nhost: x:1\r\ntransfer-encoding: chunked\r\nX_y: \t\xff \r\n\r\n",
	} {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := strings.Index(text, "\r\n\r\n")
		if end < 0 {
			return
		}
		text = text[:end+len("\r\n\r\n")]
		got := &request{}
		ok := got.parse(text)
		if !ok {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", text, err)
		}
		want := request{chunked: len(r.TransferEncoding) > 0, close: r.Close, Head: relay.Head{
			Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			Header: r.Header, Host: r.Host, ContentLength: r.ContentLength,
		}}
		if diff := cmp.Diff(want, *got, cmp.AllowUnexported(request{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%q (-net/http +here):\n%s", text, diff)
		}
	})
}
