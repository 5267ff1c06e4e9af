//go:build hostile && linux

package hostile

import (
	"strconv"
	"strings"
)

// list is a JSON array of n times an item.
func list(item string, n int) []byte {
	if n == 0 {
		return []byte("[]")
	}
	return []byte("[" + strings.Repeat(item+",", n-1) + item + "]")
}

// listOf is a JSON array of n items that differ.
func listOf(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// keys is a JSON object of n members with a value.
func keys(n int, value string) []byte {
	b := []byte{'{'}
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(strconv.AppendInt(append(b, `"k`...), int64(i), 10), `":`...), value...)
	}
	return append(b, '}')
}

// text is a JSON object with a long text.
func text(piece string, bytes int) string {
	return `{"s": "` + strings.Repeat(piece, bytes/len(piece)) + `"}`
}

// nest is JSON of so many levels.
func nest(open, inner, end string, depth int) string {
	return strings.Repeat(open, depth) + inner + strings.Repeat(end, depth)
}

// one is a single request, sent by all.
func one(message []byte) func() [][]byte { return func() [][]byte { return [][]byte{message} } }

// lazily is one that is made when it is needed: the attacks of a run have hundreds of MiB.
func lazily(message func() []byte) func() [][]byte {
	return func() [][]byte { return [][]byte{message()} }
}
