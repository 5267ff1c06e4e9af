//go:build hostile && linux

package hostile

import (
	"strconv"
	"strings"
	"testing"
)

// patterns are long texts against regular expressions and formats.
var patterns = []attack{
	{name: "pattern-beside-a-length", requests: lazily(func() []byte { return post("/pattern", text("a", mebi)) })},
	{name: "pattern-of-counted-repeats", requests: lazily(func() []byte { return post("/pattern-unbounded", text("a", mebi)) })},
	{name: "pattern-of-e-mail-addresses", requests: lazily(func() []byte { return post("/e-mail", text("a.b", 4*mebi-4096)) })},
	{name: "patterns-on-many-texts", requests: lazily(func() []byte {
		return post("/patterns", string(list(`"`+strings.Repeat("abc", 300)+`"`, 4000)))
	})},
	{name: "patterns-of-names", requests: lazily(func() []byte {
		return post("/names", "{"+members(10_000, func(i int) string { return strings.Repeat("a", 300) + strconv.Itoa(i) })+"}")
	})},
	{name: "patterns-that-name-members", requests: lazily(func() []byte {
		return post("/pattern-names", "{"+members(10_000, func(i int) string { return "a" + strings.Repeat("foobar1", 50) + strconv.Itoa(i) + "xz!" })+"}")
	})},
	{name: "formats", requests: lazily(func() []byte {
		long := strings.Repeat("a", 400_000)
		return post("/formats", `{"e":"`+long+`@b", "i":"`+long+`@é", "u":"http://`+long+`%zz", "r":"`+strings.Repeat("(a|b)*", 60_000)+
			`", "t":"2026-01-01T00:00:00.`+strings.Repeat("1", 400_000)+`", "a":"`+strings.Repeat("1:", 200_000)+`", "h":"`+strings.Repeat("xn--a.", 60_000)+
			`", "d":"P`+strings.Repeat("1D", 200_000)+`", "j":"`+strings.Repeat("/~0", 130_000)+`", "p":"`+strings.Repeat("{a}", 130_000)+`"}`)
	})},
	{name: "format-regex", requests: lazily(func() []byte {
		return post("/formats", `{"r": "`+strings.Repeat("(a{1,1000}){1,1000}", 50_000)+`"}`)
	})},
	{name: "format-regex-of-nested-groups", requests: lazily(func() []byte {
		return post("/formats", `{"r": "`+nest("(", "a{1,1000}", "){1,9}", 900)+`"}`)
	})},
	{name: "matches-in-a-template", requests: lazily(func() []byte { return post("/matches", text("a", 500_000)) })},
	{name: "matches-with-a-pattern-of-the-client", requests: lazily(func() []byte {
		return post("/matches-own", `{"p": "(((a{1,10}){1,10}){1,10})@", "s": "`+strings.Repeat("a", 400_000)+`"}`)
	})},
}

func TestPatterns(t *testing.T) { try(t, patterns) }

func members(n int, name func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = `"` + name(i) + `":1`
	}
	return strings.Join(all, ",")
}
