package route

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/problem"
)

// tableOf serves each "METHOD /template" by that text.
func tableOf(t testing.TB, routes ...string) *Table[string] {
	t.Helper()
	var table Table[string]
	for _, r := range routes {
		method, template, _ := strings.Cut(r, " ")
		if err := table.Add(method, template, r); err != nil {
			t.Fatal(err)
		}
	}
	return &table
}

var routes = []string{
	"POST /a", "GET /a", "GET /b", "GET /items/{id}", "PUT /items/{id}", "GET /items/me", "POST /items/me",
	"GET /items/{id}/parts/{part}", "GET /{kind}/parts/x", "GET /x/{y}/", "GET /ü ber/{id}",
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		method, path, want string
		params             map[string]string
		code               problem.Code
		allow              []string
	}{
		{method: "POST", path: "/a", want: "POST /a"},
		{method: "GET", path: "/a", want: "GET /a"},
		{method: "PUT", path: "/a", code: problem.MethodNotAllowed, allow: []string{"GET", "POST"}},
		{method: "GET", path: "/a/", code: problem.NotFound},
		{method: "GET", path: "/", code: problem.NotFound},
		{method: "OPTIONS", path: "*", code: problem.NotFound},
		{method: "GET", path: "", code: problem.NotFound},

		// A parameter is one segment, and not the empty one.
		{method: "GET", path: "/items/7", want: "GET /items/{id}", params: map[string]string{"id": "7"}},
		{method: "GET", path: "/items/", code: problem.NotFound},
		{method: "GET", path: "/items/7/", code: problem.NotFound},
		{method: "GET", path: "/items/7/8", code: problem.NotFound},
		{method: "GET", path: "/items//parts/x", code: problem.NotFound},
		{
			method: "GET", path: "/items/7/parts/wheel", want: "GET /items/{id}/parts/{part}",
			params: map[string]string{"id": "7", "part": "wheel"},
		},
		{method: "GET", path: "/x/1/", want: "GET /x/{y}/", params: map[string]string{"y": "1"}},
		{method: "GET", path: "/x/1", code: problem.NotFound},

		// Segments are decoded one by one, text and values alike.
		{method: "GET", path: "/items/a%2Fb", want: "GET /items/{id}", params: map[string]string{"id": "a/b"}},
		{method: "GET", path: "/items/a+b%20c", want: "GET /items/{id}", params: map[string]string{"id": "a+b c"}},
		{method: "GET", path: "/items/%7Bid%7D", want: "GET /items/{id}", params: map[string]string{"id": "{id}"}},
		{method: "GET", path: "/%69tems/me", want: "GET /items/me"},
		{method: "GET", path: "/%C3%BC%20ber/1", want: "GET /ü ber/{id}", params: map[string]string{"id": "1"}},
		{method: "GET", path: "/items%2F7", code: problem.NotFound},
		{method: "GET", path: "/items/%zz", code: problem.NotFound},
		{method: "GET", path: "/items/7%", code: problem.NotFound},

		// Text goes before parameters, from the first segment on; behind a dead end the search goes on.
		{method: "GET", path: "/items/me", want: "GET /items/me"},
		{method: "GET", path: "/items/parts/x", want: "GET /{kind}/parts/x", params: map[string]string{"kind": "items"}},
		{method: "GET", path: "/a/parts/x", want: "GET /{kind}/parts/x", params: map[string]string{"kind": "a"}},

		// What the better fit has no method for, another may; the path has the methods of both.
		{method: "PUT", path: "/items/me", want: "PUT /items/{id}", params: map[string]string{"id": "me"}},
		{method: "DELETE", path: "/items/me", code: problem.MethodNotAllowed, allow: []string{"GET", "POST", "PUT"}},
		{method: "POST", path: "/items/7", code: problem.MethodNotAllowed, allow: []string{"GET", "PUT"}},
	} {
		for range 2 { // in either order of the templates
			got, params, err := tableOf(t, routes...).Match(tt.method, tt.path)
			switch {
			case tt.code == "" && (err != nil || got != tt.want || !cmp.Equal(params, tt.params)):
				t.Errorf("%s %s: %q with %v, %v; want %q with %v", tt.method, tt.path, got, params, err, tt.want, tt.params)
			case tt.code != "" && (err == nil || err.Code != tt.code || !slices.Equal(err.Allow, tt.allow)):
				t.Errorf("%s %s: %+v, want %s allowing %v", tt.method, tt.path, err, tt.code, tt.allow)
			}
			slices.Reverse(routes)
		}
	}
}

// What stands for the rest of a prefix comes with the problem, and what serves another method with a 405.
func TestRest(t *testing.T) {
	table := tableOf(t, routes...)
	for _, prefix := range []string{"/", "/items/", "/items/x/"} {
		if err := table.AddRest(prefix, prefix); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/none": "/", "*": "/", "": "/", "/items": "/", "/items%2Fx": "/", "/%zz": "/", "/a/": "/",
		"/items/": "/items/", "/items/7/8": "/items/", "/%69tems/7/": "/items/", "/items/%zz": "/items/",
		"/items/x/1": "/items/x/", "/items/x/parts/": "/items/x/",
	} {
		if got, _, err := table.Match("GET", path); got != want || err == nil || err.Code != problem.NotFound {
			t.Errorf("%s: %q with %v, want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]string{"/b": "GET /b", "/a": "GET /a", "/items/7": "GET /items/{id}", "/items/me": "GET /items/me"} {
		if got, _, err := table.Match("DELETE", path); got != want || err == nil || err.Code != problem.MethodNotAllowed {
			t.Errorf("DELETE %s: %q with %v, want %q", path, got, err, want)
		}
	}
	for _, prefix := range []string{"/", "/items/", "/items", "items/", "", "/{id}/"} {
		if err := table.AddRest(prefix, ""); err == nil {
			t.Errorf("%q is taken as a prefix", prefix)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ method, template, want string }{
		"what is taken":                  {"GET", "/items/{id}", "GET /items/{id}: belongs to another route, want another path or method"},
		"other names for the same paths": {"DELETE", "/items/{name}", "/items/{name}: serves the same paths as /items/{id}; want the same names for the parameters"},
		"a name twice":                   {"GET", "/{a}/{a}", "/{a}/{a}: has {a} twice, want each name once"},
		"half a parameter":               {"GET", "/items/x{id}", `/items/x{id}: segment "x{id}", want text without braces, or {name}`},
		"no name":                        {"GET", "/{}", `/{}: segment "{}", want text without braces, or {name}`},
		"a name that is none":            {"GET", "/{a-b}", `/{a-b}: segment "{a-b}", want text without braces, or {name}`},
		"a relative path":                {"GET", "items", `"items" does not begin with /, want one such as /answer`},
	} {
		table := tableOf(t, routes...)
		if err := table.Add(tt.method, tt.template, ""); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if err := tableOf(t, routes...).Add("DELETE", "/items/{id}", ""); err != nil {
		t.Errorf("another method of the same template: %v", err)
	}
}

func TestMatchOnAnEmptyTable(t *testing.T) {
	var table Table[int]
	if _, _, err := table.Match("GET", "/"); err == nil || err.Code != problem.NotFound {
		t.Errorf("error %v, want not found", err)
	}
}

func TestPathsOfTextAllocateNothing(t *testing.T) {
	table := tableOf(t, routes...)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = table.Match("GET", "/items/me") }); n != 0 {
		t.Errorf("%v allocations per match, want none", n)
	}
}

// FuzzMatch holds that a match is what its template says: put back into it, the parameters give the path.
func FuzzMatch(f *testing.F) {
	for _, path := range []string{
		"", "/", "*", "/a", "/items/7", "/items/me", "/items/7/parts/x", "/items/a%2Fb/parts/%7Bx%7D", "/items/%zz", "/items//", "/x/%2F/",
		"/%C3%BC%20ber/\xff", "/items/+", "/{id}", "/items/.%2e", strings.Repeat("/items", 100),
	} {
		f.Add(path)
	}
	table := tableOf(f, routes...)
	f.Fuzz(func(t *testing.T, path string) {
		served, params, wrong := table.Match("GET", path)
		if wrong != nil {
			if wrong.Code != problem.NotFound && len(wrong.Allow) == 0 {
				t.Errorf("%q: %v", path, wrong)
			}
			return
		}
		_, filled, _ := strings.Cut(served, " ")
		for name, value := range params {
			if value == "" {
				t.Errorf("%q: parameter %s of %s is empty", path, name, served)
			}
			filled = strings.ReplaceAll(filled, "/{"+name+"}", "/"+url.PathEscape(value))
		}
		decoded, err := url.PathUnescape(path)
		again, _ := url.PathUnescape(filled)
		if err != nil || decoded != again || strings.Count(path, "/") != strings.Count(filled, "/") {
			t.Errorf("%q fits %s with %q, which gives %q (%v)", path, served, params, filled, err)
		}
	})
}
