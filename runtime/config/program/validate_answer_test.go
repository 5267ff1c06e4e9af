package program

import (
	"strconv"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// TestHeadsOfAnswersAreRefused: each mistake is reported with its field, what is wrong, and what to write.
func TestHeadsOfAnswersAreRefused(t *testing.T) {
	cookie := func(change func(*config.SetCookie)) func(*config.Response) {
		return func(r *config.Response) {
			r.Cookies = []config.SetCookie{{Name: "sid", Path: "/", Secure: true, HTTPOnly: true, SameSite: config.SameSiteLax}}
			change(&r.Cookies[0])
		}
	}
	header := func(name, value string) func(*config.Response) {
		return func(r *config.Response) { r.Headers = map[string]string{name: value} }
	}
	location := func(l config.Location) func(*config.Response) {
		return func(r *config.Response) { r.Location = &l }
	}
	age := func(n int) *int { return &n }
	for _, tt := range []struct {
		path   string
		change func(*config.Response)
		want   string // empty: it is accepted
	}{
		{"", header("X-A", "${request.path}"), ""},
		{"", header("Cache-Control", "no-store"), ""},
		{"headers.X A", header("X A", "b"), "is not the name of a header, want for example X-Total-Count"},
		{"headers.Content-Type", header("Content-Type", "b"), "may not be set here, want contentType"},
		{"headers.LOCATION", header("LOCATION", "${request.path}"), "may not be set here, want location"},
		{"headers.Set-Cookie", header("Set-Cookie", "b"), "may not be set here, want cookies"},
		{"headers.X-Request-Id", header("X-Request-Id", "b"), "the gateway sends it"},
		{"headers.Connection", header("Connection", "b"), "it belongs to a single connection"},
		{"headers.Transfer-Encoding", header("Transfer-Encoding", "b"), "it belongs to a single connection"},
		{"headers.Content-Length", header("Content-Length", "1"), "or the gateway sets it"},
		{"headers.x-a", func(r *config.Response) { r.Headers = map[string]string{"X-A": "1", "x-a": "2"} }, "is there twice"},
		{"headers.X-A", header("X-A", "a\r\nb"), "has control characters, such as a line break"},
		{"headers.X-A", header("X-A", "${request.nope}"), "undefined field 'nope'"},
		{"", cookie(func(*config.SetCookie) {}), ""},
		{"", cookie(func(c *config.SetCookie) { c.Name, c.MaxAge = "__Host-sid", age(0) }), ""},
		{"cookies[0].name", cookie(func(c *config.SetCookie) { c.Name = "a;b" }), "is not the name of a cookie, want letters, digits and -_., such as session"},
		{"cookies[0].value", cookie(func(c *config.SetCookie) { c.Value = "${nope}" }), "undeclared reference"},
		{"cookies[0].path", cookie(func(c *config.SetCookie) { c.Path = "/a; Domain=x" }), "is not the path of a cookie, want for example /"},
		{"cookies[0].path", cookie(func(c *config.SetCookie) { c.Path = "" }), "want for example /"},
		{"cookies[0].path", cookie(func(c *config.SetCookie) { c.Name, c.Path = "__Host-sid", "/a" }), "must be /, because of how the name"},
		{"cookies[0].secure", cookie(func(c *config.SetCookie) { c.Name, c.Secure = "__secure-sid", false }), "must be true, because of how the name"},
		{"cookies[0].secure", cookie(func(c *config.SetCookie) { c.SameSite, c.Secure = "None", false }), "must be true, because sameSite is None"},
		{"cookies[0].sameSite", cookie(func(c *config.SetCookie) { c.SameSite = "lax" }), `"lax", want one of Strict, Lax, None`},
		{"cookies[0].maxAge", cookie(func(c *config.SetCookie) { c.MaxAge = age(-1) }), "is -1, want from 0 to 34560000"},
		{"cookies[1].name", func(r *config.Response) {
			cookie(func(*config.SetCookie) {})(r)
			r.Cookies = append(r.Cookies, r.Cookies[0])
		}, "is the name of another cookie"},
		{"cookies", func(r *config.Response) {
			for i := range 17 {
				r.Cookies = append(r.Cookies, config.SetCookie{Name: "c" + strconv.Itoa(i), Path: "/", SameSite: config.SameSiteLax})
			}
		}, "has 17 items, want at most 16"},
		{"", func(r *config.Response) { r.ContentType, r.Body = "text/html", []byte(`"a ${request.path}"`) }, ""},
		{"", func(r *config.Response) { r.ContentType = "application/problem+json; charset=utf-8" }, ""},
		{"contentType", func(r *config.Response) { r.ContentType, r.Body = "html", []byte(`"a"`) }, "is not a media type, want for example text/html"},
		{"contentType", func(r *config.Response) { r.ContentType, r.Body = "text/html\r\nX-A: b", []byte(`"a"`) }, "is not a media type"},
		{"contentType", func(r *config.Response) { r.ContentType, r.Body, r.Status = "text/html", nil, 204 }, "has no effect without body"},
		{"body", func(r *config.Response) { r.ContentType = "text/html" }, "want text, because contentType is text/html; for example ${steps.answer.output.json()}"},
		{"bodyEncoding", func(r *config.Response) { r.BodyEncoding = config.BodyBase64 }, "is only for bytes, want a contentType that is not JSON, such as image/png"},
		{"bodyEncoding", func(r *config.Response) {
			r.ContentType, r.BodyEncoding, r.Body = "image/png", "Hex", []byte(`"AA=="`)
		}, `"Hex", want Base64`},
		{"body", func(r *config.Response) {
			r.ContentType, r.BodyEncoding, r.Body = "image/png", config.BodyBase64, []byte(`"%"`)
		}, "is not base64"},
		{"", func(r *config.Response) { r.Status = 201 }, ""},
		{"", func(r *config.Response) { r.Status, r.Body = 204, nil }, ""},
		{"status", func(r *config.Response) { r.Status = 404 }, "is 404, want from 200 to 299; a step respond answers with other statuses"},
		{"body", func(r *config.Response) { r.Status = 204 }, "answers with the status 204 have none"},
		{"", location(config.Location{Path: "/a/${request.path}"}), ""},
		{"", location(config.Location{Origin: "https://a.example:8443", Path: "/", Query: map[string]string{"q": "${request.path}"}}), ""},
		{"location", func(r *config.Response) { r.Location, r.Status = &config.Location{Path: "/"}, 200 }, "is not allowed with the status 200, want 303"},
		{"location.path", location(config.Location{Path: "a"}), "begins with /"},
		{"location.path", location(config.Location{Path: "//evil.example"}), "after which browsers read a host; want one slash, and the host in origin"},
		{"location.path", location(config.Location{Path: "/a?b=c"}), "a path ends before ?"},
		{"location.path", location(config.Location{Path: "/\\evil.example"}), "a path cannot contain this character"},
		{"location.origin", location(config.Location{Origin: "https://a.example/b", Path: "/"}), "is not a scheme and a host, want for example https://login.example.com"},
		{"location.origin", location(config.Location{Origin: "https://u@a.example", Path: "/"}), "is not a scheme and a host"},
		{"location.origin", location(config.Location{Origin: "javascript://a", Path: "/"}), "is not a scheme and a host"},
		{"location.origin", location(config.Location{Origin: "https://${request.path}", Path: "/"}), "an expression may not say where clients are sent"},
		{"schema", func(r *config.Response) { r.Schema, r.Body, r.Status = []byte(`{}`), nil, 204 }, "has nothing to check"},
		{"", func(r *config.Response) { *r = config.Response{} }, "want one of stream, body, events and location, or the status 204"},
	} {
		c := typed()
		r := c.Routes[1].Response
		*r = config.Response{Body: []byte(`{"a":1}`)}
		tt.change(r)
		path := "routes[1].response"
		if tt.path != "" {
			path += "." + tt.path
		}
		switch errs := Validate(c); {
		case tt.want == "" && len(errs) > 0:
			t.Errorf("%+v: %v", *r, errs)
		case tt.want != "" && (len(errs) != 1 || errs[0].Path != path || !strings.Contains(errs[0].Message, tt.want)):
			t.Errorf("got %v, want %s: …%s…", errs, path, tt.want)
		}
	}
}

// TestHeadsOfStreamsAreRefused: a stream has the status 200 and its own media type, and its head is sent before the steps are done.
func TestHeadsOfStreamsAreRefused(t *testing.T) {
	for path, tt := range map[string]struct {
		change func(*config.Response)
		want   string
	}{
		"status":                {func(r *config.Response) { r.Status = 201 }, "a stream has the status 200"},
		"contentType":           {func(r *config.Response) { r.ContentType, r.Body = "text/plain", []byte(`"a"`) }, "is not allowed with stream or events, want body"},
		"location":              {func(r *config.Response) { r.Location, r.Status = &config.Location{Path: "/"}, 200 }, "is not allowed with stream or events"},
		"headers.cache-control": {func(r *config.Response) { r.Headers = map[string]string{"cache-control": "x"} }, "the gateway sets it for streams"},
		"headers.X-A":           {func(r *config.Response) { r.Headers = map[string]string{"X-A": "${steps.vectors}"} }, "undefined field 'vectors'"},
	} {
		c := typed()
		r := c.Routes[1].Response
		*r = config.Response{Events: &config.Events{}, Body: []byte(`{"a":1}`)}
		tt.change(r)
		errs := Validate(c)
		if len(errs) != 1 || errs[0].Path != "routes[1].response."+path || !strings.Contains(errs[0].Message, tt.want) {
			t.Errorf("got %v, want %s: …%s…", errs, path, tt.want)
		}
	}
}
