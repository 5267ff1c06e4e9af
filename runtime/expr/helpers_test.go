package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHelpers(t *testing.T) {
	tests := map[string]struct {
		in   string
		want any
	}{
		"join strings":              {"${['a', 'b'].join(', ')}", "a, b"},
		"join without separator":    {"${['a', 'b'].join()}", "ab"},
		"join numbers":              {"${[1, 2].join('-')}", "1-2"},
		"join anything":             {"${[1, 'a', true, 1.5, {'b': [null]}].join(' ')}", `1 a true 1.5 {"b":[null]}`},
		"join dynamic":              {"${request.body.list.filter(x, x != null).join(' ')}", `1 <a> {"a":false,"z":1}`},
		"join nothing":              {"${[].join(', ')}", ""},
		"join empty strings":        {"${['', '', ''].join(',')}", ",,"},
		"truncate":                  {"${'abc'.truncate(2)}", "ab"},
		"truncate by characters":    {"${'äöü'.truncate(2)}", "äö"},
		"truncate a longer one":     {"${'äöü'.truncate(3)}", "äöü"},
		"truncate, more than bytes": {"${'äöü'.truncate(9)}", "äöü"},
		"truncate to nothing":       {"${'abc'.truncate(0)}", ""},
		"json":                      {"${request.body.list.json()}", `[1,"<a>",null,{"a":false,"z":1}]`},
		"json of a string":          {"${'a\"b'.json()}", `"a\"b"`},
		"json of null":              {"${null.json()}", "null"},
		"parseJson":                 {"${'{\"a\": [1, 1.5]}'.parseJson().a}", []any{int64(1), 1.5}},
		"parseJson and back":        {"${'{\"b\": 1, \"a\": null}'.parseJson().json()}", `{"a":null,"b":1}`},
		"htmlEscape":                {"${'<a href=\"x\">\\'é\\' & b</a>'.htmlEscape()}", "&lt;a href=&#34;x&#34;&gt;&#39;é&#39; &amp; b&lt;/a&gt;"},
		"urlEncode":                 {"${'a b&c=d/é+~'.urlEncode()}", "a%20b%26c%3Dd%2F%C3%A9%2B~"},
		"base64":                    {"${'añ?'.base64()}", "YcOxPw=="},
		"replace":                   {"${'a.b.c'.replace('.', '::')}", "a::b::c"},
		"replace some":              {"${'a.b.c'.replace('.', '', 1)}", "ab.c"},
		"split":                     {"${'a.b.c'.split('.', 2)}", []any{"a", "b.c"}},
		"format":                    {"${'%s has %d, %.1f'.format(['a', 2, 0.25])}", "a has 2, 0.2"},
		"format what JSON has not":  {"${'%s'.format([type(1)])}", "int"},
	}
	env, vars := testEnv(t), testVars()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Value(t.Context(), vars, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHelpersRefuse: of what can be made of a large body, none is made that is larger than an output may be.
func TestHelpersRefuse(t *testing.T) {
	big := strings.Repeat("a", MaxOutput)
	many := make([]any, 20_000)
	for i := range many {
		many[i] = strings.Repeat("b", 1000)
	}
	vars := map[string]any{"request": map[string]any{"body": map[string]any{
		"big": big, "control": strings.Repeat("\x01", MaxOutput/2), "many": many, "secret": secret, "nothing": nil,
		"deep": strings.Repeat("[", 100) + strings.Repeat("]", 100), "bad": "\xff",
	}}}
	tests := map[string]struct{ in, message string }{
		"join null":            {"${[request.body.nothing].join()}", "is null"},
		"join a type":          {"${[type(1)].join()}", "JSON does not have"},
		"join, output":         {"${request.body.many.join().size()}", "more output"},
		"join, separator":      {"${['a', 'b', 'c'].join(request.body.big).size()}", "more output"},
		"join no list":         {"${request.body.secret.join()}", "wrong type"},
		"truncate below zero":  {"${request.body.secret.truncate(-1)}", "negative number"},
		"json, output":         {"${request.body.control.json().size()}", "more output"},
		"json of a type":       {"${type(1).json()}", "JSON does not have"},
		"truncate a number":    {"${dyn(1).truncate(1)}", "wrong type"},
		"base64 of a number":   {"${dyn(1).base64()}", "wrong type"},
		"split a number":       {"${dyn(1).split('a')}", "wrong type"},
		"replace in a number":  {"${dyn(1).replace('a', 'b')}", "wrong type"},
		"format of no list":    {"${'%s'.format(dyn(1))}", "wrong type"},
		"join with a number":   {"${['a'].join(dyn(1))}", "wrong type"},
		"parseJson":            {"${request.body.secret.parseJson()}", "text that is not JSON"},
		"parseJson of nothing": {"${''.parseJson()}", "text that is not JSON"},
		"parseJson, depth":     {"${request.body.deep.parseJson()}", "text that is not JSON"},
		"htmlEscape, output":   {"${request.body.control.urlEncode().replace('%', '<').htmlEscape().size()}", "more output"},
		"urlEncode, output":    {"${request.body.control.urlEncode().size()}", "more output"},
		"base64, output":       {"${request.body.big.base64().size()}", "more output"},
		"replace, output":      {"${request.body.big.replace('a', request.body.big).size()}", "more output"},
		"replace, nothing":     {"${request.body.big.replace('', 'xx').size()}", "more output"},
		"replace some, output": {"${request.body.big.replace('a', request.body.big, 9).size()}", "more output"},
		"split, pieces":        {"${request.body.big.split('').size()}", "more output"},
		"format, output":       {"${'%s'.format([request.body.many]).size()}", "more output"},
		"format, precision":    {"${'%.500f'.format([1.0])}", "cannot be evaluated"},
		"list, items":          {"${[[1]]" + strings.Repeat(".map(a, a + a)", 45) + ".map(a, 2 in a)}", "more output"},
		"cost":                 {"${request.body.many.map(x, request.body.big.truncate(1000))}", "more work"},
	}
	env := testEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in) // which is told of what reads nothing already
			var got any
			if err == nil {
				got, err = template.Value(t.Context(), vars, nil)
			}
			if err == nil {
				t.Fatalf("no error, got %v", got)
			}
			if !strings.Contains(err.Error(), tt.message) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want %q", err, tt.message)
			}
		})
	}
}
