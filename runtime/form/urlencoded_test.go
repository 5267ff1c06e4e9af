package form

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseQuery(t *testing.T) {
	tests := map[string]url.Values{
		"":                       {},
		"&&a=1&&":                {"a": {"1"}},
		"a=1&b=2&a=3":            {"a": {"1", "3"}, "b": {"2"}},
		"a":                      {"a": {""}},
		"a=b=c":                  {"a": {"b=c"}},
		"l%69mit=20":             {"limit": {"20"}},
		"a=x+y%20z%2B":           {"a": {"x y z+"}},
		"limit=20;x=1":           {"limit": {"20;x=1"}},
		"q=%zz&r=%&s=ab%2":       {"q": {"%zz"}, "r": {"%"}, "s": {"ab%2"}},
		"q=%C3%A9&r=%FF%FEx":     {"q": {"é"}, "r": {"\uFFFD\uFFFDx"}},
		"tags[]=a&%26=%3D&=none": {"tags[]": {"a"}, "&": {"="}, "": {"none"}},
	}
	for raw, want := range tests {
		if diff := cmp.Diff(want, ParseQuery(raw)); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

// Every value that url.Values can encode is read back.
func TestEveryEscapeIsAByte(t *testing.T) {
	for b := range 128 { // the others are not text on their own
		for _, form := range []string{"%%%02x", "%%%02X"} {
			escaped := fmt.Sprintf(form, b)
			if got := unescaped(escaped); got != string(rune(b)) {
				t.Errorf("%s: %q, want %q", escaped, got, rune(b))
			}
		}
	}
	for escaped, want := range map[string]string{"%e2%82%AC": "€", "%": "%", "%4": "%4", "%4g": "%4g", "%%41": "%A", "%ff": "\ufffd"} {
		if got := unescaped(escaped); got != want {
			t.Errorf("%s: %q, want %q", escaped, got, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("a=1&b=%20;+%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		once := ParseQuery(raw)
		if diff := cmp.Diff(once, ParseQuery(once.Encode())); diff != "" {
			t.Errorf("%q: %s", raw, diff)
		}
	})
}
