package program

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

var (
	// ofGo is what only somebody who knows the code can read.
	ofGo = regexp.MustCompile(`<nil>|%!|\bmap\[|\[\](?:string|any|byte)|&\{|interface ?\{|\bstruct\b|\b(?:int|float)(?:8|16|32|64)\b|\*\w+\.\w|\.go:\d|goroutine|panic|runtime error|` +
		`\bEOF\b|NUM_|context (?:canceled|deadline)|\b(?:json|jsontext|strconv)[.:]|\.:|: :|\n|wrapper\(|'[!_-]_|_'|file:///|jsonschema`)
	// allows is how a message says what would be right. The last words are those of CEL and of Pydantic.
	allows = regexp.MustCompile(`\b(?:want|is required|at most|end the expression with|needs? |never allows|write|more than \d|longer than \d|lower maxLength|` +
		`the variables here are|has (?:none|[a-z])|expecting|should|required)`)
)

// badValues are what a config may have in its place, where the packages below this one say what is wrong.
var badValues = map[string]struct {
	in     func(c *config.Config, value string)
	values []string
}{
	"a schema": {
		func(c *config.Config, s string) { c.Routes[0].Request.Schema = []byte(s) },
		append(badSchemas, `{"properties":{"a":{"type":"object","required":["b"],"default":{}}}}`, `{"default":3,"type":"string"}`),
	},
	"a schema of an answer": {func(c *config.Config, s string) { c.Routes[0].Response.Schema = []byte(s) }, badSchemas},
	"a query's schema":      {parameter(config.InQuery), append(badSchemas, `{"type":"object"}`, `{"type":"null"}`, `{"type":["array","string"]}`, `{"type":"array","items":{"type":"array"}}`)},
	"a path's schema":       {parameter(config.InPath), []string{`{"type":"array"}`, `{"type":"object"}`, `{"type":"string","default":3}`}},
	"a header's schema":     {parameter(config.InHeader), []string{`{"type":"object"}`, `{"enum":[{}]}`}},
	"a form's schema": {
		func(c *config.Config, s string) {
			c.Routes[0].Request = &config.Request{Schema: []byte(s), Form: &config.Form{Files: []config.FormFile{{Name: "f"}}}}
			c.Routes[0].Steps[0].Chat.Messages[0].Content = "x"
		},
		[]string{`{"type":"string"}`, `[]`, `{"properties":{"f":{}}}`, `{"properties":5}`, `{"type":"array"}`, `{"properties":{"a":{"type":"object"}}}`},
	},
	"a prompt": {
		func(c *config.Config, s string) { c.Routes[0].Steps[0].Chat.Messages[0].Content = s },
		[]string{
			"a ${ foo }", "${steps.nope.x}", "${steps['nope']}", "${steps[request.path]}", "${request.foo}", "${1 + 'a'}", "${-'a'}", "${!1}", "${1 in 2}", "${[1, 2] < 3}",
			"${request.headers.a + 1}", "${1 +}", "${", "${}", "${request.headers[?'a']}", "${type(1)}", "${request.path.matches('(')}", "${request.path.matches('(a{1000}){1000}')}",
			"${toJson(request.body)}", "x${", "${1/0}", "${[1][3]}", "${size(request.path, 1)}", "${{1: 2}}", "${has(request)}", "${[1,2].map(x)}", "${'a", "${request.path.foo()}",
			"${1 ? 2 : 3}", "${'" + strings.Repeat("a", 20000) + "'}", "${" + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", "${int('x')}", "${request.class}", "${1; 2}",
			"${'a'.truncate(-1)}", "${'x'.parseJson()}", "${9999999999999999999}", "${request.params.x}", "${request.body.?q}", "${Foo{a: 1}}", "${request.path.size}", "${dyn(null)}",
		},
	},
	"a condition": {
		func(c *config.Config, s string) { c.Routes[0].Steps[0].When = s },
		[]string{"yes", "${'a'}", "${dyn('a')}", "${dyn([1])}", "${dyn({'a': 1})}", "${dyn(1)}", "${dyn(1u)}", "${dyn(1.5)}", "${dyn(null)}", "${request.path}", "${true} and ${true}"},
	},
	"an answer": {
		func(c *config.Config, s string) { c.Routes[0].Response.Body = []byte(s) },
		[]string{`{"a":"${1 + 'a'}"`, `{"a":1,"a":2}`, `{"a":["${x}"]}`, `1 2`, `1e999`, strings.Repeat("[", 200) + strings.Repeat("]", 200), `"\ud800"`, `{"a${x}":1}`, `{"a":"${steps.nope}"}`, `nope`},
	},
	"a path": {
		func(c *config.Config, s string) { c.Routes[0].Path = s },
		[]string{"a", "/a/{", "/a/{x}/{x}", "/a{x}", "/a/{x-y}", "/a/{x}", "/v1/x", ""},
	},
	"a path that another has": {
		func(c *config.Config, s string) {
			other := c.Routes[0]
			c.Routes[0].Path = "/a/{x}"
			c.Routes[0].Request = &config.Request{Parameters: []config.Parameter{{Name: "x", In: config.InPath}}}
			other.Path, other.Request = s, &config.Request{Parameters: []config.Parameter{{Name: strings.Trim(s, "/a{}"), In: config.InPath}}}
			c.Routes = append(c.Routes, other)
		},
		[]string{"/a/{x}", "/a/{y}"},
	},
	"a network": {
		func(c *config.Config, s string) { c.Runtime.TrustedProxies = []string{s} },
		[]string{"x", "10.0.0.1", "10.0.0.1/8", "::ffff:10.0.0.0/104", ""},
	},
	"a price": {
		func(c *config.Config, s string) { c.Upstreams[0].Prices = &config.Prices{Input: s, Output: "1"} },
		[]string{"x", "1.2.3", "1e3", "-1", "99999999999999", "0.0000000000001"},
	},
}

var badSchemas = []string{
	`{`, `{"a":{"b":1,"b":2}}`, `3`, `{"properties":{"a b":{"type":"strin"}}}`, `{"properties":{"a/b":{"minLength":-1}}}`, `{"type":"object","properties":5}`, `{"enum":5}`, `{"required":["a","a"]}`,
	`{"properties":{"a":{"$ref":"https://example.com/s.json"}}}`, `{"$ref":"http://json-schema.org/draft-07/schema"}`, `{"$schema":"https://example.com/mine"}`, `{"items":{"$ref":"#/$defs/x"}}`,
	`{"items":{"$ref":"#x"}}`, `{"items":{"$recursiveRef":"#"}}`, `{"items":{"pattern":"(?=a)"}}`, `{"patternProperties":{"(":{}}}`, `{"items":{"pattern":"a{1001}"}}`, `{"items":{"pattern":"(a{900}){900}"}}`,
	`{"items":{"pattern":"` + strings.Repeat("a", 17000) + `"}}`, `{"properties":{"a":{"$ref":"#/properties/a"}}}`, `{"properties":{"a":{"type":"integer","default":"x"}}}`,
	`{"properties":{"a":{"$ref":"#/properties/b/enum/0"},"b":{"enum":[{}]}}}`, `{"default":1e999}`, strings.Repeat(`{"not":`, 100) + `{}` + strings.Repeat(`}`, 100),
	`{"enum":[` + strings.Repeat("1,", 5000) + `1]}`, `{"enum":["` + strings.Repeat("1", 70000) + `"]}`, `{"multipleOf":0}`, `{"$anchor":"a b"}`, `{"properties":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}`, `{"$id":"%%"}`,
}

func parameter(in string) func(*config.Config, string) {
	return func(c *config.Config, s string) {
		if in == config.InPath {
			c.Routes[0].Path = "/a/{x}"
		}
		c.Routes[0].Request.Parameters = []config.Parameter{{Name: "x", In: in, Schema: []byte(s)}}
	}
}

// TestMessagesOfBadConfigs: whichever package finds that a value is wrong, the error names the field, and says in words for people what
// would be right.
func TestMessagesOfBadConfigs(t *testing.T) {
	for kind, bad := range badValues {
		for i, value := range bad.values {
			t.Run(fmt.Sprintf("%s %d", kind, i), func(t *testing.T) {
				c := valid()
				bad.in(c, value)
				errs := Validate(c)
				if len(errs) == 0 {
					t.Fatalf("%.200s is accepted", value)
				}
				for _, e := range errs {
					t.Log(e.Path, e.Message)
					for _, wrong := range wrongsOf(e) {
						t.Errorf("%.200s: %s: %s", value, wrong, e.Error())
					}
				}
			})
		}
	}
}

func wrongsOf(e config.FieldError) (all []string) {
	if e.Path == "" {
		all = append(all, "it names no field")
	}
	if found := ofGo.FindString(e.Message); found != "" {
		all = append(all, fmt.Sprintf("%q is for those who know the code", found))
	}
	if !allows.MatchString(e.Message) {
		all = append(all, "it does not say what is allowed")
	}
	if len(e.Message) > 1000 {
		all = append(all, fmt.Sprintf("it has %d bytes", len(e.Message)))
	}
	return all
}

// TestConstantsOfAWrongType are named as expressions name types.
func TestConstantsOfAWrongType(t *testing.T) {
	for text, want := range map[string]string{
		"${dyn('a')}": "returns string, want bool", "${dyn([1])}": "returns list(dyn), want bool", "${dyn({'a': 1})}": "returns map(string, dyn), want bool",
		"${dyn(1)}": "returns int, want bool", "${dyn(1u)}": "returns int, want bool", "${dyn(1.5)}": "returns double, want bool", "${dyn(null)}": "returns null_type, want bool",
	} {
		c := valid()
		c.Routes[0].Steps[0].When = text
		if got := Validate(c).Error(); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
