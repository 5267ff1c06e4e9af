package flow

import (
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
		if diff := cmp.Diff(want, parseQuery(raw)); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

// Inverse of how clients write: whatever url.Values encodes is read back.
func FuzzParseQuery(f *testing.F) {
	f.Add("a=1&b=%20;+%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		once := parseQuery(raw)
		if diff := cmp.Diff(once, parseQuery(once.Encode())); diff != "" {
			t.Errorf("%q: %s", raw, diff)
		}
	})
}
