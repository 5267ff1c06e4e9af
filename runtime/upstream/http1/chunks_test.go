package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestChunks(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"5\r\nhello\r\n0\r\n\r\n", "hello, ended"},
		{"5\r\nhello\r\n0\r\n\r\nrest", "hello, ended, 4 beyond"},
		{"1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", "abc, ended"},
		{"A\r\n0123456789\r\n0\r\n\r\n", "0123456789, ended"},
		{"a;x=\"y;z\"\r\n0123456789\r\n0;last\r\n\r\n", "0123456789, ended"},
		{"1 \t\r\na\r\n1 ;x\r\nb\r\n0\r\n\r\n", "ab, ended"},
		{"1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n", "a, ended"},
		{"1\r\na\r\n0\r\n", "a"},
		{"1\r\na\r\n0\r\n\r", "a"},
		{"5\r\nhel", "hel"},
		{"", ""},
		{"1\na\r\n", ", chunks"},
		{"1\r\na\n", "a, chunks"},
		{"1\r\nab", "a, chunks"},
		{"1\r\na\r\r", "a, chunks"},
		{"\r\na\r\n", ", chunks"},
		{"g\r\n", ", chunks"},
		{"-1\r\n", ", chunks"},
		{"0x1\r\n", ", chunks"},
		{" 1\r\n", ", chunks"},
		{"1 1\r\n", ", chunks"},
		{"1;a\x00\r\n", ", chunks"},
		{"1;a\nb\r\n", ", chunks"},
		{"00000000000000001\r\n", ", chunks"},
		{"ffffffffffffffff\r\nabc", "abc"},
		{"1;" + strings.Repeat("x", maxLine) + "\r\n", ", chunks"},
		{strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\na\r\n", 20), "aaaaaaaa, chunks"},
		{strings.Repeat("1\r\na\r\n", 20000), strings.Repeat("a", 20000)},
		{"0\r\nA b\r\n\r\n", ", end"},
		{"0\r\nA : b\r\n\r\n", ", end"},
		{"0\r\n: b\r\n\r\n", ", end"},
		{"0\r\n b\r\n\r\n", ", end"},
		{"0\r\nA: b\n\r\n", ", end"},
		{"0\r\nA: b\r\n\n", ", end"},
		{"0\r\nA: \x01\r\n\r\n", ", end"},
		{"0\r\nA: b\r\n\rx", ", end"},
		{"0\r\n" + strings.Repeat("A: b\r\n", maxTrailers/6+1) + "\r\n", ", end"},
	} {
		for _, step := range []int{1, 2, 3, 7, len(tt.text) + 1} {
			if got := decoded(tt.text, step); got != tt.want {
				t.Errorf("%.80q in pieces of %d: %.80s; want %.80s", tt.text, step, got, tt.want)
			}
		}
	}
}

// decoded feeds pieces of a text.
func decoded(text string, step int) string {
	var c chunks
	var said strings.Builder
	for at := 0; at < len(text); at += step {
		piece := []byte(text[at:min(at+step, len(text))])
		data, taken, err := c.decode(piece)
		said.Write(piece[:data])
		switch {
		case errors.Is(err, ErrChunks):
			return said.String() + ", chunks"
		case errors.Is(err, ErrEnd):
			return said.String() + ", end"
		case c.place == endOfChunks:
			if left := len(text) - at - taken; left > 0 {
				return fmt.Sprintf("%s, ended, %d beyond", said.String(), left)
			}
			return said.String() + ", ended"
		}
	}
	return said.String()
}
