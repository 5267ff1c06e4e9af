package redact

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// view is a text as a reader sees it that undoes escapes.
type view struct {
	text string
	// at is where each byte of the text stands in the original, and last, where that ends; nil if both are the same.
	at []int
}

// escape reads an escape that s begins with: what it stands for, and its length; 0 for none.
type escape func(s string) (stands string, length int)

// views are the ways to read a text: as it stands, with each kind of escape undone, with all kinds undone, and with all
// undone a second time, for what was written into JSON and that into JSON again.
func views(text string) []view {
	plain := view{text: text}
	all := []view{plain}
	for mark, e := range map[string]escape{`\`: backslashed, "%": percented, "&": entity} {
		if strings.Contains(text, mark) {
			all = append(all, plain.undo(e))
		}
	}
	if len(all) == 1 {
		return all
	}
	once := plain.undo(backslashed, percented, entity)
	return append(all, once, once.undo(backslashed, percented, entity))
}

// undo replaces the escapes of some kinds.
func (v view) undo(escapes ...escape) view {
	var b strings.Builder
	at := make([]int, 0, len(v.text)+1)
	for i := 0; i < len(v.text); {
		stands, length := v.text[i:i+1], 1
		for _, e := range escapes {
			if s, n := e(v.text[i:]); n > 0 {
				stands, length = s, n
				break
			}
		}
		for range len(stands) {
			at = append(at, v.place(i))
		}
		b.WriteString(stands)
		i += length
	}
	return view{text: b.String(), at: append(at, v.place(len(v.text)))}
}

func (v view) place(i int) int {
	if v.at == nil {
		return i
	}
	return v.at[i]
}

func (v view) original(s span) span { return span{start: v.place(s.start), end: v.place(s.end)} }

// all finds a spelling wherever it stands, overlaps included.
func (v view) all(lower string, s spelling) []span {
	var found []span
	for from := 0; ; {
		i := strings.Index(lower[from:], s.text)
		if i < 0 {
			return found
		}
		at := span{start: from + i, end: from + i + len(s.text)}
		from = at.start + 1
		for s.encoded && at.start > 0 && inKey(lower[at.start-1]) {
			at.start--
		}
		for s.encoded && at.end < len(lower) && inKey(lower[at.end]) {
			at.end++
		}
		if s.encoded {
			from = at.end // what else is found on the way is within
		}
		found = append(found, v.original(at))
	}
}

// backslashed reads JSON's escapes (RFC 8259, section 7), of which other languages have the same, and \x41.
func backslashed(s string) (string, int) {
	if len(s) < 2 || s[0] != '\\' {
		return "", 0
	}
	switch c := s[1]; c {
	case 'u':
		return coded(s, 2, 4)
	case 'x':
		return coded(s, 2, 2)
	case 'n', 'r', 't', 'b', 'f':
		return " ", 2
	default:
		if c >= utf8.RuneSelf || isWord(c) {
			return "", 0
		}
		return s[1:2], 2
	}
}

// percented reads an escape of URLs (RFC 3986, section 2.1).
func percented(s string) (string, int) {
	if s[0] != '%' || len(s) < 3 {
		return "", 0
	}
	c, err := strconv.ParseUint(s[1:3], 16, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(c)}), 3
}

// coded reads that many hexadecimal digits from a place on.
func coded(s string, from, digits int) (string, int) {
	if len(s) < from+digits {
		return "", 0
	}
	c, err := strconv.ParseUint(s[from:from+digits], 16, 32)
	if err != nil {
		return "", 0
	}
	return string(rune(c)), from + digits //nolint:gosec // it has 16 bits
}

var entities = map[string]string{
	"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'", "nbsp": " ", "sol": "/", "plus": "+", "equals": "=",
}

// entity reads a character reference of HTML.
func entity(s string) (string, int) {
	end := strings.IndexByte(s[:min(len(s), 10)], ';')
	if s[0] != '&' || end < 2 {
		return "", 0
	}
	name := s[1:end]
	if stands, known := entities[name]; known {
		return stands, end + 1
	}
	if name[0] != '#' {
		return "", 0
	}
	digits, base := name[1:], 10
	if rest, hex := strings.CutPrefix(strings.ToLower(digits), "x"); hex {
		digits, base = rest, 16
	}
	c, err := strconv.ParseUint(digits, base, 32)
	if err != nil || c > utf8.MaxRune {
		return "", 0
	}
	return string(rune(c)), end + 1
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
