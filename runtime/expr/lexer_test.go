package expr

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestLex(t *testing.T) {
	lit := func(s string) segment { return segment{text: s} }
	ex := func(offset int, s string) segment { return segment{text: s, isExpr: true, offset: offset} }
	tests := map[string]struct {
		in   string
		want []segment
	}{
		"empty":                       {"", nil},
		"text":                        {"a $ b } {c}", []segment{lit("a $ b } {c}")}},
		"one expression":              {"${a}", []segment{ex(2, "a")}},
		"text around":                 {"x ${a} y", []segment{lit("x "), ex(4, "a"), lit(" y")}},
		"adjacent":                    {"${a}${b}", []segment{ex(2, "a"), ex(6, "b")}},
		"escaped":                     {"$${a}", []segment{lit("${a}")}},
		"dollar before an escape":     {"$$${a}", []segment{lit("$${a}")}},
		"dollar at the end":           {"a$", []segment{lit("a$")}},
		"two dollars":                 {"$$", []segment{lit("$$")}},
		"braces":                      {"${{'a': {}}}", []segment{ex(2, "{'a': {}}")}},
		"brace in a string":           {"${ {'a': '}'}['a'] }", []segment{ex(2, " {'a': '}'}['a'] ")}},
		"open brace in a string":      {`${"{"}`, []segment{ex(2, `"{"`)}},
		"other quote in a string":     {`${"'}"}`, []segment{ex(2, `"'}"`)}},
		"escaped quote":               {`${'\'}'}`, []segment{ex(2, `'\'}'`)}},
		"escaped backslash":           {`${'\\'}`, []segment{ex(2, `'\\'`)}},
		"raw string":                  {`${r'\'}`, []segment{ex(2, `r'\'`)}},
		"raw bytes":                   {`${bR"\"}`, []segment{ex(2, `bR"\"`)}},
		"name that ends in r":         {`${var['\'}']}`, []segment{ex(2, `var['\'}']`)}},
		"long string":                 {"${'''}\n'}''' }", []segment{ex(2, "'''}\n'}''' ")}},
		"long string with an escape":  {`${"""\"""}"""}`, []segment{ex(2, `"""\"""}"""`)}},
		"raw long string":             {`${r"""\"""}`, []segment{ex(2, `r"""\"""`)}},
		"empty string":                {"${''}", []segment{ex(2, "''")}},
		"quoted name":                 {"${a.`}`}", []segment{ex(2, "a.`}`")}},
		"comment":                     {"${a // }'\n}", []segment{ex(2, "a // }'\n")}},
		"expression within a string":  {"${'${a}'}", []segment{ex(2, "'${a}'")}},
		"not ASCII":                   {"é${'é}'}é", []segment{lit("é"), ex(4, "'é}'"), lit("é")}},
		"literals on both sides join": {"a$${b", []segment{lit("a${b")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := lex(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(segment{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLexRefuses(t *testing.T) {
	tests := map[string]struct {
		in      string
		column  int
		message string
	}{
		"no end":                 {"ab ${c", 4, "no closing }"},
		"brace left open":        {"${ {'a': 1}", 1, "no closing }"},
		"nothing inside":         {"a${}", 2, "empty"},
		"blanks inside":          {"é${ \n}", 2, "empty"},
		"string without end":     {"${'a}", 3, "string"},
		"line break in a string": {"${'a\n'}", 3, "string"},
		"long string":            {"${'''a''}", 3, "string"},
		"backslash at the end":   {`${'\`, 3, "string"},
		"quoted name":            {"${a.`b}", 5, "name"},
		"comment to the end":     {"${a // }", 1, "no closing }"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := lex(tt.in)
			if err == nil {
				t.Fatalf("no error, got %v", got)
			}
			if err.Column != tt.column || !strings.Contains(err.Message, tt.message) {
				t.Errorf("got %v, want column %d and %q", err, tt.column, tt.message)
			}
		})
	}
}

// FuzzLex holds the lexer to what its callers build on: segments lie in the source in order, expressions are exact parts of
// it, and what is not an expression comes out as it went in but for $${.
func FuzzLex(f *testing.F) {
	for _, seed := range []string{
		"", "a", "${a}", "$${a}", "x ${ {'a': '}'}['a'] } y", `${r'\'}`, "${'''}'''}", "${a // }\n}", "${`}`}", "$$$${", "${'", "é${\"}\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		segments, err := lex(src)
		if err != nil {
			if err.Column < 1 || err.Column > utf8.RuneCountInString(src)+1 {
				t.Fatalf("column %d is not within %q", err.Column, src)
			}
			return
		}
		var rebuilt strings.Builder
		for _, s := range segments {
			if !s.isExpr {
				rebuilt.WriteString(strings.ReplaceAll(s.text, "${", "$${"))
				continue
			}
			if src[s.offset:s.offset+len(s.text)] != s.text || strings.TrimSpace(s.text) == "" {
				t.Fatalf("expression %q is not at %d of %q", s.text, s.offset, src)
			}
			rebuilt.WriteString("${" + s.text + "}")
		}
		if rebuilt.String() != src {
			t.Fatalf("%q became %q", src, rebuilt.String())
		}
	})
}
