package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func mustCompile(t testing.TB, source string) *Pattern {
	t.Helper()
	p, err := Compile(source)
	if err != nil {
		t.Fatalf("%q: %v", source, err)
	}
	return p
}

// TestECMA: what ECMA-262 writes differently means what it means there.
func TestECMA(t *testing.T) {
	tests := []struct {
		pattern  string
		yes, not []string
	}{
		{`^[\u4e00-\u9fa5]{2,4}$`, []string{"中文"}, []string{"abc", "中", ""}},
		{`^\ud83c\udf75$`, []string{"🍵"}, []string{"\ufffd", "🍶"}},
		{`^[\ud83c\udf75\u00e9]+$`, []string{"🍵é"}, []string{"🍶"}},
		{`^\u{1F375}\u{41}$`, []string{"🍵A"}, []string{"uA"}},
		{`^\\u4e00$`, []string{`\u4e00`}, []string{"一"}},
		{`^\ud83c$`, nil, []string{"🍵", "\ufffd"}},
		{`^\cJ\cz$`, []string{"\n\x1a"}, []string{"Jz"}},
		{`^[\b]$`, []string{"\b"}, []string{"b", ""}},
		{`\bx\b`, []string{"a x"}, []string{"ax"}},
		{`^\s$`, []string{" ", "\v", "\u00a0", "\u2003", "\ufeff", "\u2029"}, []string{"x", "", "\u200b", "\u0085"}},
		{`^\S+$`, []string{"x", "é中🍵"}, []string{" ", "a\u00a0b", "\ufeff"}},
		{`^[\s\d]+$`, []string{"1\u00a02"}, []string{"x"}},
		{`^[^\s]+$`, []string{"ab"}, []string{"a\u3000b"}},
		{`^[\S]$`, []string{"x"}, []string{"\u2028"}},
		{`^\/\-\_\.$`, []string{"/-_."}, []string{"a"}},
		{`^[\w\-\]]+$`, []string{"a-]"}, []string{"é"}},
		{`^[]\s]$`, []string{"]", "\u00a0"}, []string{"x"}},
		{`^[[:alpha:]\u00e9]$`, []string{"a", "é"}, []string{":", "1"}},
		{`^\Q\u0041\E$`, []string{`\u0041`}, []string{"A"}},
		{`^\p{Letter}\p{Lu}\p{Greek}$`, []string{"éAβ"}, []string{"1Aβ"}},
		{`^\d$`, []string{"1"}, []string{"١"}},
		{`^.$`, []string{"\r"}, []string{"\n"}},
	}
	for _, tt := range tests {
		p := mustCompile(t, tt.pattern)
		if p.String() != tt.pattern {
			t.Errorf("%q is told as %q", tt.pattern, p)
		}
		for _, text := range tt.yes {
			if !p.MatchString(text) {
				t.Errorf("%q does not match %q", tt.pattern, text)
			}
		}
		for _, text := range tt.not {
			if p.MatchString(text) {
				t.Errorf("%q matches %q", tt.pattern, text)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for source, want := range map[string]string{
		`\p{Script=Greek}`:                    "invalid character class range",
		`a\Z`:                                 "invalid escape sequence",
		`(?=a)`:                               "invalid or unsupported Perl syntax",
		`(a)\1`:                               "invalid escape sequence",
		`\u12`:                                "invalid escape sequence",
		`\u{110000}`:                          "invalid escape sequence",
		`[a`:                                  "missing closing ]",
		`a\`:                                  "trailing backslash",
		`(a{1000}){1000}`:                     "invalid repeat count",
		strings.Repeat("a", MaxBytes+1):       "is longer than 16384 bytes",
		strings.Repeat("(a|b|c|d){1000}", 60): "more than 20000 instructions",
		strings.Repeat(`\pL`, 201):            "more than 20000 instructions",
		"(?i)" + strings.Repeat("[A-\U0001e942]", 10):             "more than 20000 instructions",
		`(?s-U:(?i:[` + strings.Repeat(`A-\x{1e942}`, 11) + "]))": "more than 20000 instructions",
	} {
		if _, err := Compile(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", source, err, want)
		}
	}
}

// TestLong: what real programs list fits.
func TestLong(t *testing.T) {
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("Region%d/Town_%03d", i%10, i))
	}
	p := mustCompile(t, "^("+strings.Join(names, "|")+")$")
	if !p.MatchString(names[499]) || p.MatchString("Region0/Town_001") {
		t.Error("the names are not told apart")
	}
	mustCompile(t, strings.Repeat("a?", MaxBytes/2))
}

// TestCompilingIsBounded: the automaton is reckoned before it is made.
func TestCompilingIsBounded(t *testing.T) {
	for _, source := range []string{
		strings.Repeat("(a|b|c|d){1000}", 1000), strings.Repeat(`[\pL\pN]{500}`, 30), strings.Repeat("(((a{10}){10}){10})", 800),
		strings.Repeat("(a|bc){300}x{1,1000}", 700), strings.Repeat(`\pL`, 5000), strings.Repeat(`(|a)`, 4000),
		strings.Repeat(`\S`, 8000), strings.Repeat("[^a]", 4000), "(?i)" + strings.Repeat("k", 16000), strings.Repeat("\U0001f375", 4000),
		"(?i)[" + strings.Repeat("A-\U0001e942", 2000) + "]", "(?i)[" + strings.Repeat(`A-\x{1e942}`, 1000) + "]",
		strings.Repeat("(", 900) + "a" + strings.Repeat("){2}", 900),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile(source)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%.40q took %d bytes: %v", source, used, err)
		}
	}
}

// TestMatchEndsWhenItsCallerSays so, and tells of all that it does.
func TestMatchEndsWhenItsCallerSays(t *testing.T) {
	stop, looks, told := errors.New("stop"), 0, 0
	p := mustCompile(t, `[a-z]{1,1000}@`)
	_, err := p.Match(strings.Repeat("a", 1<<20), func(steps int) error {
		told += steps
		if looks++; looks == 10 {
			return stop
		}
		if steps > spendEvery+2*p.Size() {
			t.Errorf("%d steps without a look", steps)
		}
		return nil
	})
	if !errors.Is(err, stop) || looks != 10 || told < 10*spendEvery {
		t.Errorf("%v after %d looks and %d steps", err, looks, told)
	}
	total := 0
	ok, err := mustCompile(t, `^[a-z]+$`).Match(strings.Repeat("a", 1000), func(steps int) error { total += steps; return nil })
	if !ok || err != nil || total < 1000 || total > 10_000 {
		t.Errorf("%v, %v after %d steps", ok, err, total)
	}
}

var agreed = []string{
	`^[a-z]+$`, `a|b|cd`, `(?i)straße|k`, `\bfoo\b`, `\B`, `^$`, `(a*)*b`, `x{0}y`, `x{2,}`, `x{2,3}$`, `(?m)^a$`, `(?s).`, `[^a-c]`, `.`, ``,
	`(ab)?c+?`, `^(a|ab)(c|bcd)*$`, `^a|b`, `\x{fffd}`, `^(?:a?){10}a{10}$`, `(|a)+`, `(?i)[k-l]z`, `\A\z|q`, `[[:word:]]\W`, `(?:(?:a{2}){2}){2}`,
}

// FuzzMatch holds matches against package regexp's, whose syntax is the same.
func FuzzMatch(f *testing.F) {
	for _, source := range agreed {
		for _, text := range []string{"", "a", "abc", "STRASSE ſ K", "foo bar", "xxx", "a\nb", "\xff", "aaaaaaaaaaaa", "é中🍵", "bq-"} {
			f.Add(source, text)
		}
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 200 || len(text) > 1000 {
			t.Skip()
		}
		theirs, err := regexp.Compile(source)
		parsed, own := ParseRE2(source)
		if own != nil {
			if err == nil && !strings.Contains(own.Error(), "more than") {
				t.Fatalf("%q: %v", source, own)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: accepted, regexp says %v", source, err)
		}
		p := parsed.Compile()
		if p.Size() > parsed.Size()+2 {
			t.Errorf("%q has %d instructions, reckoned with %d", source, p.Size(), parsed.Size())
		}
		if got, want := p.MatchString(text), theirs.MatchString(text); got != want {
			t.Errorf("%q on %q: %v, want %v", source, text, got, want)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, bm := range []struct{ name, pattern, text string }{
		{"short", `^[a-z0-9-]+$`, "an-ordinary-name"},
		{"long", `^[a-z0-9-]+$`, strings.Repeat("a", 1<<16)},
		{"dense", `[a-z]{1,1000}@`, strings.Repeat("a", 1<<12)},
		{"mail", `^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$`, strings.Repeat("a", 1<<12) + "@example.com"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p, theirs := mustCompile(b, bm.pattern), regexp.MustCompile(bm.pattern)
			steps := 0
			p.Match(bm.text, func(n int) error { steps += n; return nil }) //nolint:errcheck // it never fails
			b.Run("own", func(b *testing.B) {
				for b.Loop() {
					p.MatchString(bm.text)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(steps), "ns/step")
			})
			b.Run("regexp", func(b *testing.B) {
				for b.Loop() {
					theirs.MatchString(bm.text)
				}
			})
		})
	}
}
