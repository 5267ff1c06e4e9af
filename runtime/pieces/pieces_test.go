package pieces

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, p := range []Text{nil, {nil}, {[]byte("abc")}, {nil, []byte("a")}, {[]byte("ab"), nil, []byte("cde"), []byte("f")}} {
		text := string(p.Joined())
		if p.Len() != len(text) {
			t.Errorf("%q has %d bytes, want %d", p, p.Len(), len(text))
		}
		for room := range len(text) + 2 {
			filled, rest := p.AppendTo(append(make([]byte, 0, room+1), '-'))
			if want := "-" + text[:min(room, len(text))]; string(filled) != want || cap(filled) != room+1 {
				t.Errorf("%q into %d bytes: %q, want %q", p, room, filled, want)
			}
			if got := string(rest.Joined()); got != strings.TrimPrefix(text, string(filled[1:])) {
				t.Errorf("%q into %d bytes leaves %q", p, room, got)
			}
		}
		if after := string(p.Joined()); after != text {
			t.Errorf("%q has become %q", text, after)
		}
	}
}
