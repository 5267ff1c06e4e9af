// Package redact makes a text of somebody else fit to be passed on: it removes the known secrets, in every spelling
// in which a server may repeat them, and everything that has the shape of a key.
package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText bounds what is looked at, in bytes; a longer text is cut between two words first.
	maxText = 4 << 10
	removed = "[removed]"
)

// Text returns the part of a text that may be passed on: without control characters, secrets and what looks like a key, in at
// most limit bytes. It is empty if nothing is left, or if a secret is such that no text is safe.
func Text(text string, secrets []string, limit int) string {
	known := spellings(secrets)
	clean := cut(printable(text), maxText)
	out := clip(without(clean, spans(clean, known, shaped)), limit)
	// Taking out may have put together, and the mark itself may hold, what is a secret.
	if len(spans(out, known, nil)) > 0 {
		return ""
	}
	return strings.TrimSpace(out)
}

// printable takes out what no reader sees: control characters, and those that only change how others look.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// cut shortens a text to its whole words within the limit: half a key may not look like one.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:max(strings.LastIndexByte(text[:limit], ' '), 0)]
}

const ellipsis = "…"

// clip shortens a text that is safe already.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := max(limit-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// span is a part of a text, in bytes.
type span struct{ start, end int }

// spans are the parts of a text that must go, found in each way to read it.
func spans(text string, known []spelling, shapes func(string) []span) []span {
	var found []span
	for _, v := range views(text) {
		lower := lowered(v.text)
		for _, s := range known {
			found = append(found, v.all(lower, s)...)
		}
		if shapes != nil {
			for _, s := range shapes(v.text) {
				found = append(found, v.original(s))
			}
		}
	}
	return found
}

// without is the text with a mark in place of each span.
func without(text string, gone []span) string {
	if len(gone) == 0 {
		return text
	}
	slices.SortFunc(gone, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	for i := 0; i < len(gone); {
		from, to := gone[i].start, gone[i].end
		for i++; i < len(gone) && gone[i].start <= to; i++ {
			to = max(to, gone[i].end)
		}
		b.WriteString(text[at:from])
		b.WriteString(removed)
		at = to
	}
	b.WriteString(text[at:])
	return b.String()
}

// lowered changes ASCII letters alone, so that each byte stays where it is.
func lowered(text string) string {
	lower := []byte(text)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}
