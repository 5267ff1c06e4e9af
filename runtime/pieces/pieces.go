// Package pieces has texts in several parts.
package pieces

import "slices"

// Text is one in several parts, so that an edit copies nothing of what it leaves. It shares its memory with the text that was
// edited.
type Text [][]byte

// Len is the length of the text, in bytes.
func (t Text) Len() (sum int) {
	for _, part := range t {
		sum += len(part)
	}
	return sum
}

// Joined is the text in one part; nil for an empty one.
func (t Text) Joined() []byte {
	if len(t) == 1 {
		return t[0]
	}
	return slices.Concat(t...)
}

// AppendTo appends the text to b as far as it fits into b's capacity. It returns what is left of the text.
func (t Text) AppendTo(b []byte) (filled []byte, rest Text) {
	for i, part := range t {
		n := min(len(part), cap(b)-len(b))
		b = append(b, part[:n]...)
		if n < len(part) {
			return b, append(Text{part[n:]}, t[i+1:]...)
		}
	}
	return b, nil
}
