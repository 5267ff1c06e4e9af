package pattern

import (
	"testing"
	"unicode/utf8"
)

func TestExample(t *testing.T) {
	for source, want := range map[string]string{
		`^[A-Z]{3}-\d{4}$`: "ABC-4567", `^(low|high)$`: "low", `^[a-z0-9]+(-[a-z0-9]+)*$`: "a-b", `^\+?[0-9]{7,15}$`: "+1234567",
		`^.$`: "a", `x`: "x", `^$`: "", `^(?i)ab$`: "AB", `^[^a-zA-Z0-9\-_.:/ ]$`: "\x00", `^日本?$`: "日本",
	} {
		if got, ok := mustCompile(t, source).Example(0, 0); !ok || got != want {
			t.Errorf("%s: got %q, %v; want %q", source, got, ok, want)
		}
	}
}

func TestExampleIsLongEnough(t *testing.T) {
	for source, least := range map[string]int{`^[a-z]+$`: 40, `^(ab)*$`: 7, `^\d{2,}-x?$`: 12, `a*`: MaxExample / 2} {
		got, ok := mustCompile(t, source).Example(least, 0)
		if !ok || utf8.RuneCountInString(got) < least || !mustCompile(t, source).MatchString(got) {
			t.Errorf("%s: got %q, %v; want at least %d characters", source, got, ok, least)
		}
	}
}

func TestExamplesDiffer(t *testing.T) {
	p := mustCompile(t, `^[a-z]{2}\d$`)
	one, _ := p.Example(0, 0)
	other, ok := p.Example(0, 1)
	if !ok || one == other {
		t.Errorf("got %q and %q, want two that the pattern matches", one, other)
	}
}

// TestExampleIsBounded: neither time nor text grows with what a pattern asks for, and a text that does not match is not given.
func TestExampleIsBounded(t *testing.T) {
	for source, least := range map[string]int{
		`^a{5}$`: 6, `^a*$`: MaxExample * 2, `^a{600}b{600}$`: 0, `^((((((a?)*)*)*)*)*)*$`: 5000, `^\Ba$`: 0, `a$^b`: 0, `[^\x00-\x{10FFFF}]`: 0,
	} {
		if got, ok := mustCompile(t, source).Example(least, 0); ok {
			t.Errorf("%s: got %q, want none", source, got)
		}
	}
}
