package rawjson

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzQuote: a string is written as jsontext writes it, after whatever stands before it.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "eight by", "eight bytes and more", `a "quote" and a \ backslash`, "lines\nand\ttabs\r\n", "\x00\x1f\x7f\b\f",
		"Grüße aus 北京 \U0001F600", "plain before \xff bytes", "\u2028<&>", "seven\x80", "1234567\"", "1234567\\", "1234567\x1f",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantErr := jsontext.AppendQuote([]byte("["), text)
		for _, before := range []string{"[", "[" + strings.Repeat(" ", 8)} {
			got, err := AppendValid([]byte(before), text)
			if string(got) != before+string(want[1:]) || (err != nil) != (wantErr != nil) {
				t.Errorf("%q: %s, %v, want %s, %v", text, got, err, want, wantErr)
			}
			if got := AppendQuote([]byte(before), []byte(text)); string(got) != before+string(want[1:]) {
				t.Errorf("%q as bytes: %s, want %s", text, got, want)
			}
		}
	})
}

// FuzzNesting: how deep a document nests is what jsontext finds.
func FuzzNesting(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[[1,"]"],{"a":[{}]}]`, `{"a\"b":["\\",["\\\"]"]]}`, `"[["`, `["\\\\"]`, `[[[[]]],"{{{{"]`, `[[[]],[]]`, `{"a":[[]],"b":{}}`, `3`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !jsontext.Value(doc).IsValid() {
			return
		}
		deepest := 0
		d := jsontext.NewDecoder(strings.NewReader(string(doc)))
		for {
			if _, err := d.ReadToken(); err != nil {
				break
			}
			deepest = max(deepest, d.StackDepth())
		}
		for _, limit := range []int{1, 2, 3, 64} {
			if TooDeep(doc, limit) != (deepest > limit) {
				t.Errorf("%s: %v for the limit %d, want a depth of %d", doc, TooDeep(doc, limit), limit, deepest)
			}
			for err, within := range map[error]error{
				Members(doc, func([]byte, Span) {}): MembersWithin(doc, limit, func([]byte, Span) {}), Elements(doc, func(int, Span) {}): ElementsWithin(doc, limit, func(int, Span) {}),
			} {
				if err == nil && deepest > limit {
					err = ErrTooDeep
				}
				if within != err { //nolint:errorlint // they are not wrapped
					t.Errorf("%s: %v within %d, want %v", doc, within, limit, err)
				}
			}
		}
	})
}

var long = strings.Repeat("What is due, and when? ", 128<<10/23)

func BenchmarkQuote(b *testing.B) {
	b.SetBytes(int64(len(long)))
	dst := make([]byte, 0, 2*len(long))
	b.ReportAllocs()
	for b.Loop() {
		AppendQuote(dst, long)
	}
}

func BenchmarkTooDeep(b *testing.B) {
	doc := []byte(`{"model":"m","messages":[{"role":"user","content":"` + long + `"}]}`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if TooDeep(doc, 64) {
			b.Fatal("too deep")
		}
	}
}
