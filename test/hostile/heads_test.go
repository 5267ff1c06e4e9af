//go:build hostile && linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// heads are requests that are odd before their body comes.
var heads = []attack{
	{name: "long-queries", head: true, accept: []int{200}, requests: one(get("/lookup?q="+strings.Repeat("x", 60_000), ""))},
	{name: "queries-of-many-parameters", head: true, requests: one(get("/lookup?q=a&"+strings.Repeat("tag=x&", 9000), ""))},
	{name: "queries-of-escapes", head: true, requests: one(get("/lookup?q="+strings.Repeat("%ff", 20_000), ""))},
	{name: "long-paths", head: true, requests: one(get("/"+strings.Repeat("x", 60_000), ""))},
	{name: "paths-of-many-segments", head: true, requests: one(get(strings.Repeat("/..%2f", 10_000), ""))},
	{name: "many-headers", head: true, accept: []int{200}, requests: lazily(func() []byte {
		var b strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&b, "X-Header-%d: %d\r\n", i, i)
		}
		return get("/lookup?q=a", b.String())
	})},
	{name: "one-header-a-thousand-times", head: true, accept: []int{200}, requests: one(get("/lookup?q=a", strings.Repeat("X-Tone: polite\r\n", 1000)))},
	{name: "long-headers-against-a-pattern", head: true, requests: one(get("/lookup?q=a", "X-Tone: "+strings.Repeat("a ", 30_000)+"1\r\n"))},
	{name: "many-cookies", head: true, accept: []int{200}, requests: one(get("/lookup?q=a", "Cookie: "+strings.Repeat("a=b; ", 10_000)+"\r\n"))},
	{name: "heads-over-the-limit", head: true, requests: one(get("/lookup?q=a", strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 1000)))},
	{name: "two-lengths", head: true, requests: one([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "))},
	{name: "a-length-and-chunks", head: true, accept: []int{200}, requests: one([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))},
	{name: "lengths-out-of-range", head: true, requests: one([]byte("POST /any HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: 99999999999999999999\r\n\r\n{}"))},
	{name: "bodies-that-are-compressed", requests: one(request("/any", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "\x1f\x8b\x08"+strings.Repeat("\x00", 60_000)))},
	{name: "upgrades", head: true, accept: []int{200}, requests: one(get("/lookup?q=a", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))},
	{name: "another-protocol", head: true, requests: one([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\x00", 1000)))},
}

func TestHeads(t *testing.T) { try(t, heads) }
