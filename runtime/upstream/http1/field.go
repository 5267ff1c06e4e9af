package http1

import "bytes"

// fieldOf reads a field line (RFC 9112, section 5). A line that continues the one before it is refused, which a gateway may do.
func fieldOf(line []byte) (Field, bool) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || !token(name) {
		return Field{}, false
	}
	value = bytes.Trim(value, " \t")
	return Field{name, value}, valid(value)
}

// tokens are the characters of names (RFC 9110, section 5.6.2).
var tokens = func() (set [256]bool) {
	for c := range set {
		set[c] = digit(byte(c)) || 'a' <= c|' ' && c|' ' <= 'z' && c < 0x80
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		set[c] = true
	}
	return set
}()

func token[S ~string | ~[]byte](s S) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// valid reports whether s has no control characters but tabs (RFC 9110, section 5.5).
func valid[S ~string | ~[]byte](s S) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// named compares without regard to case; want is in lower case.
func named[S ~string | ~[]byte](got S, want string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range len(got) {
		c := got[i]
		if 'A' <= c && c <= 'Z' {
			c |= ' '
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// lists reports whether a list has an element, which is in lower case.
func lists(list []byte, element string) bool {
	for e := range bytes.SplitSeq(list, []byte{','}) {
		if named(bytes.Trim(e, " \t"), element) {
			return true
		}
	}
	return false
}
