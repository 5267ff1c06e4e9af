//go:build hostile && linux

package hostile

import (
	"strings"
	"testing"
)

// memories are valid, and large: together they are more than a replica has.
var memories = []attack{
	{name: "large-chats", parallel: 60, accept: []int{200}, requests: lazily(func() []byte {
		return chat("small", `, "user": "`+strings.Repeat("u", 4_100_000)+`"`)
	})},
	{name: "large-bodies", parallel: 60, accept: []int{200}, requests: lazily(func() []byte {
		return post("/any", `"`+strings.Repeat("b", 4_100_000)+`"`)
	})},
	{name: "bodies-of-many-values", parallel: 40, accept: []int{200}, requests: lazily(func() []byte {
		return post("/any", string(list(`{"a":[]}`, 65_000)))
	})},
	{name: "bodies-over-the-limit", parallel: 40, requests: lazily(func() []byte {
		return post("/any", `"`+strings.Repeat("b", 5_000_000)+`"`)
	})},
	{name: "bodies-in-chunks-over-the-limit", requests: lazily(func() []byte {
		return chunked("/any", "10000", strings.Repeat("b", 0x10000), 100)
	})},
	{name: "large-answers-gathered", within: 4 * second, accept: []int{200}, requests: lazily(func() []byte {
		return post("/gathered", string(list("1", 32)))
	})},
	{name: "large-answers-relayed", within: 4 * second, accept: []int{200}, requests: one(post("/text", ""))},
	{name: "large-answers-of-objects", within: 4 * second, accept: []int{200}, requests: one(post("/objects", ""))},
	{name: "large-answers-of-members", within: 4 * second, accept: []int{200}, requests: one(post("/keys", ""))},
	{name: "large-vectors", within: 4 * second, accept: []int{200}, requests: one(post("/embed", "{}"))},
	{name: "large-arguments-of-tools", within: 4 * second, accept: []int{200}, requests: one(post("/agent", "{}"))},
	{name: "large-outputs-repaired", within: 4 * second, accept: []int{200}, requests: one(post("/output", "{}"))},
	{name: "large-answers-raced", within: 4 * second, accept: []int{200}, requests: one(post("/race", "{}"))},
	{name: "streams-held-for-their-check", within: 4 * second, accept: []int{200}, requests: one(post("/held", "{}"))},
}

func TestMemory(t *testing.T) { try(t, memories) }
