//go:build hostile && linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// bodies break, or nearly keep, schemas that are dear to check.
var bodies = []attack{
	{name: "violations-of-a-list-that-is-too-long", requests: lazily(func() []byte { return post("/union", string(list("{}", 199_000))) })},
	{name: "violations-below-heavy-work", requests: lazily(func() []byte { return post("/union", string(list("{}", 20_000))) })},
	{name: "violations-of-each-item", requests: lazily(func() []byte { return post("/union-unbounded", string(list("{}", 199_000))) })},
	{name: "violations-echoed", requests: lazily(func() []byte {
		return post("/echo", string(list(`{"x": "`+strings.Repeat("x", 2000)+`"}`, 2000)))
	})},
	{name: "wrong-tags", requests: lazily(func() []byte { return post("/tagged", string(list(`{"kind":"c"}`, 90_000))) })},
	{name: "nested-unions", requests: lazily(func() []byte {
		return post("/nested-any", string(list(`{"a":["y","x",{}],"b":[{}],"c":[1],"d":1}`, 20_000)))
	})},
	{name: "recursive-unions", requests: lazily(func() []byte {
		return post("/recursive", string(list(nest("[", `{}`, "]", 20), 4000)))
	})},
	{name: "hash-chains", accept: []int{200}, requests: lazily(func() []byte {
		// Two elements whose texts are as long together: what an order of lengths, or a hash of concatenated texts, cannot tell.
		return post("/unique", listOf(90_000, func(i int) string {
			n := fmt.Sprintf("%06d", i)
			return `["` + n[:i%6] + `","` + n[i%6:] + `"]`
		}))
	})},
	{name: "hash-chains-of-escapes", accept: []int{200}, requests: lazily(func() []byte {
		return post("/unique", listOf(90_000, func(i int) string {
			n := fmt.Sprintf("%06d", i)
			return `["` + n[:3] + `\u0004` + n[3:] + `"]`
		}))
	})},
	{name: "equal-objects-in-other-orders", accept: []int{200}, requests: lazily(func() []byte {
		return post("/unique", listOf(30_000, func(i int) string { return fmt.Sprintf(`{"b":{"x":%d,"y":[1]},"a":1}`, i) }))
	})},
	{name: "contains-almost-enough", requests: lazily(func() []byte {
		return post("/contains", string(list(`{"a":1}`, 60_000))) // values count, keys do too
	})},
	{name: "unknown-names", requests: lazily(func() []byte { return post("/closed", string(keys(10_000, `{"x":[1,2]}`))) })},
	{name: "too-many-names", requests: lazily(func() []byte { return post("/closed", string(keys(300_000, `1`))) })},
	{name: "unevaluated-names", requests: lazily(func() []byte { return post("/unevaluated", string(keys(10_000, `1`))) })},
	{name: "defaults-in-each-item", accept: []int{200}, requests: lazily(func() []byte { return post("/defaults", string(list("{}", 60_000))) })},
	{name: "large-constants", requests: lazily(func() []byte {
		return post("/constants", string(list(`{"a":{"b":{"c":{"d":[1,2,4]}}}}`, 25_000)))
	})},
	{name: "numbers-with-many-digits", requests: lazily(func() []byte { return post("/any", "["+strings.Repeat("9", mebi)+"]") })},
	{name: "numbers-with-large-exponents", requests: lazily(func() []byte { return post("/numbers", string(list("1e999999", 100_000))) })},
	{name: "numbers-that-divide-slowly", accept: []int{200}, requests: lazily(func() []byte {
		return post("/numbers", string(list("123456."+strings.Repeat("3", 100), 30_000)))
	})},
	{name: "integers-out-of-range", requests: lazily(func() []byte { return post("/integer", `{"i": 123456789012345678901234567890}`) })},
	{name: "too-deep", requests: lazily(func() []byte { return post("/any", nest("[", "", "]", 2*mebi)) })},
	{name: "too-deep-objects", requests: lazily(func() []byte { return post("/any", nest(`{"a":`, "1", "}", 500_000)) })},
	{name: "deep-enough", accept: []int{200}, requests: lazily(func() []byte {
		return post("/any", string(list(nest("[", "", "]", 60), 3000)))
	})},
	{name: "members-given-twice", requests: lazily(func() []byte {
		return post("/any", "{"+strings.Repeat(`"a":1,`, 500_000)+`"a":1}`)
	})},
	{name: "not-text", requests: lazily(func() []byte { return post("/any", `"`+strings.Repeat("\xff\xfe", mebi)+`"`) })},
	{name: "half-surrogates", accept: []int{200}, requests: lazily(func() []byte {
		return post("/any", `["`+strings.Repeat(`\ud800`, 500_000)+`"]`)
	})},
	{name: "garbage-after-the-body", requests: lazily(func() []byte {
		return post("/any", `{}`+strings.Repeat("\x00", mebi))
	})},
	{name: "not-JSON-at-all", requests: lazily(func() []byte { return post("/union", strings.Repeat("A", 4*mebi-1)) })},
	{name: "a-member-short-of-JSON", requests: lazily(func() []byte {
		return post("/union", strings.TrimSuffix(string(list("{}", 199_000)), "]"))
	})},
}

func TestBodies(t *testing.T) { try(t, bodies) }
