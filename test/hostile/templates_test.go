//go:build hostile && linux

package hostile

import (
	"strings"
	"testing"
)

// templates make much of little. Their inputs are valid, so that an answer of 200 is as good as a refusal.
var templates = []attack{
	{name: "texts-a-thousand-times", accept: valid, requests: lazily(func() []byte { return post("/concatenate", text("x", mebi)) })},
	{name: "texts-of-many-items", accept: valid, requests: lazily(func() []byte { return post("/join", string(list("{}", 190_000))) })},
	{name: "replacements-that-grow", accept: valid, requests: lazily(func() []byte {
		return post("/replace", `{"s": "`+strings.Repeat("a", mebi)+`", "from": "a", "to": "`+strings.Repeat("b", 4096)+`"}`)
	})},
	{name: "replacements-of-nothing", accept: valid, requests: lazily(func() []byte {
		return post("/replace", `{"s": "`+strings.Repeat("a", mebi)+`", "from": "", "to": "`+strings.Repeat("b", 1000)+`"}`)
	})},
	{name: "comprehensions-in-comprehensions", accept: valid, requests: lazily(func() []byte { return post("/comprehension", string(list("7", 190_000))) })},
	{name: "searches-in-texts", accept: valid, requests: lazily(func() []byte {
		return post("/contains-text", `{"s": "`+strings.Repeat("a", 2*mebi)+`", "t": "`+strings.Repeat("a", mebi)+`b"}`)
	})},
	{name: "texts-that-are-JSON", accept: valid, requests: lazily(func() []byte {
		return post("/parse", `{"s": "`+string(list("{}", 1_000_000))+`"}`)
	})},
	{name: "texts-that-are-deep-JSON", accept: valid, requests: lazily(func() []byte {
		return post("/parse", `{"s": "`+nest("[", "", "]", mebi)+`"}`)
	})},
	{name: "texts-in-pieces", accept: valid, requests: lazily(func() []byte { return post("/split", text("ab", mebi)) })},
	{name: "texts-in-other-codings", accept: valid, requests: lazily(func() []byte { return post("/format", text("\u00e9", 3*mebi)) })},
}

// A template that cannot do with what was sent, or uses up its budget, is no 500.
var valid = []int{200}

func TestTemplates(t *testing.T) { try(t, templates) }
