package program

import (
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

var someFile = config.SecretFile{Secret: "keys", Key: "k"}

func TestAuthIsChecked(t *testing.T) {
	header := func(name string) config.Auth {
		return config.Auth{Header: &config.NamedSecret{Name: name, SecretKeyRef: someFile}}
	}
	query := func(name string) config.Auth {
		return config.Auth{Query: &config.NamedSecret{Name: name, SecretKeyRef: someFile}}
	}
	basic := func(secret string) config.Auth {
		return config.Auth{Basic: &config.BasicAuth{SecretRef: config.SecretRef{Name: secret}}}
	}
	for name, tt := range map[string]struct {
		auth config.Auth
		want string // empty: accepted
	}{
		"a bearer key":              {config.Auth{Bearer: &someFile}, ""},
		"api-key":                   {header("api-key"), ""},
		"another scheme":            {header("Authorization"), ""},
		"a header of the framing":   {header("Content-Length"), "auth.header.name: \"Content-Length\" may not be set here"},
		"a header of a hop":         {header("upgrade"), "auth.header.name: \"upgrade\" may not be set here"},
		"a header that is set":      {header("Accept"), "auth.header.name: \"Accept\" may not be set here"},
		"a header without a name":   {header(""), "auth.header.name: \"\" is not the name of a header"},
		"a header out of the house": {config.Auth{Header: &config.NamedSecret{Name: "k", SecretKeyRef: config.SecretFile{Secret: "..", Key: "k"}}}, "auth.header.secretKeyRef.name: \"..\" is not the name of a Secret"},
		"a parameter":               {query("key"), ""},
		"a parameter without name":  {query(""), "auth.query.name: is not the name of a query parameter"},
		"a parameter's key":         {config.Auth{Query: &config.NamedSecret{Name: "k", SecretKeyRef: config.SecretFile{Secret: "s", Key: "a/b"}}}, "auth.query.secretKeyRef.key: \"a/b\" is not the name of a Secret's key"},
		"a username and password":   {basic("login"), ""},
		"another directory":         {basic("../login"), "auth.basic.secretRef.name: \"../login\" is not the name of a Secret"},
		"two ways":                  {config.Auth{Bearer: &someFile, Basic: &config.BasicAuth{}}, "auth: has bearer and basic, want one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			c.Upstreams[0].Auth = &tt.auth
			wants(t, c, tt.want)
		})
	}
}

// wants says that a config has one error, or none.
func wants(t *testing.T, c *config.Config, want string) {
	t.Helper()
	errs := Validate(c)
	switch {
	case want == "" && len(errs) > 0:
		t.Errorf("refused: %v", errs)
	case want != "" && (len(errs) != 1 || !strings.Contains(errs.Error(), want)):
		t.Errorf("got %v, want one error with %q", errs, want)
	}
}

func TestHeadersAndQueryOfUpstreamsAreChecked(t *testing.T) {
	value := func(name string) config.NamedValue { return config.NamedValue{Name: name, Value: "v"} }
	many := slices.Repeat([]config.NamedValue{value("a")}, 17)
	for i := range many {
		many[i].Name += strings.Repeat("a", i)
	}
	for name, tt := range map[string]struct {
		headers, query []config.NamedValue
		want           string
	}{
		"some":                       {[]config.NamedValue{value("X-Tenant"), {Name: "x-key", SecretKeyRef: &someFile}}, []config.NamedValue{value("api-version")}, ""},
		"a header of a hop":          {[]config.NamedValue{value("Connection")}, nil, "upstreams[0].headers[0].name: \"Connection\" may not be set here"},
		"proxy credentials":          {[]config.NamedValue{value("Proxy-Authorization")}, nil, "may not be set here"},
		"a header of the framing":    {[]config.NamedValue{value("transfer-encoding")}, nil, "may not be set here"},
		"a coding":                   {[]config.NamedValue{value("Content-Encoding")}, nil, "may not be set here"},
		"a promise":                  {[]config.NamedValue{value("Expect")}, nil, "may not be set here"},
		"the host":                   {[]config.NamedValue{value("Host")}, nil, "may not be set here"},
		"the type of events":         {[]config.NamedValue{value("Accept")}, nil, "may not be set here"},
		"credentials":                {[]config.NamedValue{value("authorization")}, nil, "put credentials into the upstream's auth"},
		"a header twice":             {[]config.NamedValue{value("X-A"), value("x-a")}, nil, "headers[1].name: \"x-a\" is the name of another header"},
		"two lines":                  {[]config.NamedValue{{Name: "X-A", Value: "a\r\nB: c"}}, nil, "headers[0].value: has control characters"},
		"no value":                   {[]config.NamedValue{{Name: "X-A"}}, nil, "headers[0]: has no value, want one of value, secretKeyRef and file"},
		"two values":                 {[]config.NamedValue{{Name: "X-A", Value: "a", SecretKeyRef: &someFile}}, nil, "headers[0]: has both value and secretKeyRef or file"},
		"a value and a file":         {[]config.NamedValue{{Name: "X-A", Value: "a", File: mounted}}, nil, "headers[0]: has both value and secretKeyRef or file"},
		"a key and a file":           {[]config.NamedValue{{Name: "X-A", SecretKeyRef: &someFile, File: mounted}}, nil, "headers[0]: has both secretKeyRef and file"},
		"files":                      {[]config.NamedValue{{Name: "X-A", File: mounted}}, []config.NamedValue{{Name: "a", File: mounted}}, ""},
		"a file of the kernel":       {nil, []config.NamedValue{{Name: "a", File: config.FileSource{Path: "/proc/1/environ"}}}, "query[0].file.path: is below /proc"},
		"a parameter without a name": {nil, []config.NamedValue{value("")}, "query[0].name: is not the name of a query parameter"},
		"a parameter twice":          {nil, []config.NamedValue{value("a"), value("a")}, "query[1].name: \"a\" is the name of another parameter"},
		"a parameter's file":         {nil, []config.NamedValue{{Name: "a", SecretKeyRef: &config.SecretFile{Secret: "a/b", Key: "k"}}}, "query[0].secretKeyRef.name: \"a/b\" is not the name of a Secret"},
		"too many":                   {nil, many, "query: has 17 items, want at most 16"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			c.Upstreams[0].Headers, c.Upstreams[0].Query = tt.headers, tt.query
			wants(t, c, tt.want)
		})
	}
	c := valid()
	c.Upstreams[0].Auth = &config.Auth{Header: &config.NamedSecret{Name: "Api-Key", SecretKeyRef: someFile}}
	c.Upstreams[0].Headers = []config.NamedValue{value("api-key")}
	wants(t, c, "is the name of another header, or that of auth")
	c.Upstreams[0].Auth = &config.Auth{Query: &config.NamedSecret{Name: "key", SecretKeyRef: someFile}}
	c.Upstreams[0].Headers, c.Upstreams[0].Query = nil, []config.NamedValue{value("key")}
	wants(t, c, "is the name of another parameter, or that of auth")
}
