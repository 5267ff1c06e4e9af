package flow

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// Cookies are read as Starlette reads them.
func TestCookieValues(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		want  []string
	}{
		"none":                     {nil, nil},
		"another":                  {[]string{"other=1; sid2=2; xsid=3"}, nil},
		"one":                      {[]string{"sid=a"}, []string{"a"}},
		"among others":             {[]string{"other=1; sid=a; more=2"}, []string{"a"}},
		"without spaces":           {[]string{"other=1;sid=a;more=2"}, []string{"a"}},
		"with more spaces":         {[]string{"other=1 ;  sid = a "}, []string{"a"}},
		"twice":                    {[]string{"sid=a; sid=b"}, []string{"a", "b"}},
		"two lines":                {[]string{"sid=a", "sid=b"}, []string{"a", "b"}},
		"in another case":          {[]string{"SID=a"}, nil},
		"empty":                    {[]string{"sid="}, []string{""}},
		"without a value":          {[]string{"sid"}, nil},
		"an equals sign":           {[]string{"sid=a=b=="}, []string{"a=b=="}},
		"what RFC 6265 forbids":    {[]string{`sid=a "b", {c}`}, []string{`a "b", {c}`}},
		"quoted":                   {[]string{`sid="a b"`}, []string{"a b"}},
		"quoted, with escapes":     {[]string{`sid="a\"b\\c\073d\351"`}, []string{`a"b\c;dé`}},
		"quoted, escapes in a row": {[]string{`sid="\\\"\"\x\09"`}, []string{`\""x09`}},
		"quoted, broken off":       {[]string{`sid="a\"`}, []string{`a\`}},
		"a single quote":           {[]string{`sid="`}, []string{`"`}},
		"not UTF-8":                {[]string{"sid=\xff"}, []string{"\ufffd"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, cookieValues(http.Header{"Cookie": tt.lines}, "sid")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A cookie is a parameter like others. The rest of them is not among the headers.
func TestCookiesAreParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, `{"request":{"parameters":[
			{"name":"session","in":"Cookie","required":true,"schema":{"type":"string","minLength":4}},
			{"name":"visits","in":"Cookie","schema":{"type":"integer","default":0}}]},
			"response":{"body":{"session":"${request.params.session}","visits":"${request.params.visits}","headers":"${request.headers.?cookie.orValue('')}"}}}`)
		cookies := func(line string) got { return w.do(t.Context(), "/", `{}`, http.Header{"Cookie": {line}}) }
		w.wants(cookies("session=abcd; other=x; visits=7"), 200, `{"session":"abcd","visits":7,"headers":""}`)
		w.wants(cookies("session=abcd"), 200, `{"session":"abcd","visits":0,"headers":""}`)
		w.wants(cookies("visits=many"), 422, `{"detail":[{"type":"missing","loc":["cookie","session"],"msg":"Field required"},`+
			`{"type":"int_parsing","loc":["cookie","visits"],"msg":"Input should be a valid integer, unable to parse string as an integer"}]}`)
		w.wants(cookies("session=abc"), 422, `{"detail":[{"type":"string_too_short","loc":["cookie","session"],`+
			`"msg":"String should have at least 4 characters","ctx":{"min_length":4}}]}`)
		w = newWorld(t, settings{}, nil, `{"request":{"parameters":[{"name":"n","in":"Cookie","required":true,"schema":{"type":"integer"}}]},
			"response":{"body":"${1 / request.params.n}"}}`)
		w.blames(cookies("n=0"), `["cookie","n"]`)
	})
}
