package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	vars := map[string]any{"request": map[string]any{"body": map[string]any{
		"plain": "a-b_c.d~e", "slash": "../../etc/passwd", "dots": "..", "dot": ".", "empty": "", "query": "a?b#c&d=e f+g%2F;h\\i\n",
		"n": int64(7), "unicode": "é", "list": []any{int64(1)}, "nothing": nil, "control": "\x00",
	}}}
	tests := map[string]struct{ in, want, message string }{
		"literal":               {"/a/b%20c/.well-known/", "/a/b%20c/.well-known/", ""},
		"root":                  {"/", "/", ""},
		"plain":                 {"/x/${request.body.plain}/y", "/x/a-b_c.d~e/y", ""},
		"slashes stay inside":   {"/x/${request.body.slash}", "/x/..%2F..%2Fetc%2Fpasswd", ""},
		"nothing ends the path": {"/x/${request.body.query}", "/x/a%3Fb%23c&d=e%20f+g%252F%3Bh%5Ci%0A", ""},
		"slash at the end":      {"/x/${request.body.n}/", "/x/7/", ""},
		"number":                {"/x/${request.body.n}", "/x/7", ""},
		"not ASCII":             {"/x/${request.body.unicode}", "/x/%C3%A9", ""},
		"JSON":                  {"/x/${request.body.list}", "/x/%5B1%5D", ""},
		"control":               {"/x/${request.body.control}", "/x/%00", ""},
		"two in a segment":      {"/${request.body.n}-${request.body.empty}${request.body.n}", "/7-7", ""},
		"dots beside text":      {"/v${request.body.dots}1", "/v..1", ""},
		"dot dot":               {"/x/${request.body.dots}/y", "", "segment of the path empty, . or .."},
		"dot dot at the end":    {"/x/${request.body.dots}", "", "segment of the path empty, . or .."},
		"dot":                   {"/x/${request.body.dot}/", "", "segment of the path empty, . or .."},
		"dot after a dot":       {"/x/.${request.body.dot}/y", "", "segment of the path empty, . or .."},
		"dot before a dot":      {"/x/${request.body.dot}./y", "", "segment of the path empty, . or .."},
		"dot and dot":           {"/x/${request.body.dot}${request.body.dot}", "", "segment of the path empty, . or .."},
		"escaped dot":           {"/x/%2e${request.body.dot}", "", "segment of the path empty, . or .."},
		"empty":                 {"/x/${request.body.empty}/y", "", "segment of the path empty, . or .."},
		"empty at the end":      {"/x/${request.body.empty}", "", "segment of the path empty, . or .."},
		"null":                  {"/x/${request.body.nothing}", "", "is null"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := testEnv(t).CompilePath(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Path(t.Context(), vars, nil)
			if tt.message != "" {
				if err == nil || !strings.Contains(err.Error(), tt.message) {
					t.Errorf("got %q, %v, want %q", got, err, tt.message)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestCompilePathRefuses(t *testing.T) {
	tests := map[string]struct {
		in      string
		column  int
		message string
	}{
		"relative":         {"x", 1, "begins with /"},
		"empty":            {"", 1, "begins with /"},
		"expression first": {"${request.path}", 1, "begins with /"},
		"expression":       {"/${foo}", 4, "undeclared reference"},
		"query":            {"/a?b=${request.path}", 3, "ends before ?"},
		"fragment":         {"/${request.path}#a", 17, "ends before #"},
		"bad escape":       {"/a%2", 3, "follow a %"},
		"escape by halves": {"/%${request.path}", 2, "follow a %"},
		"blank":            {"/a b", 3, "cannot contain this character"},
		"not ASCII":        {"/é", 2, "cannot contain this character"},
		"brace":            {"/{id}", 2, "cannot contain this character"},
		"backslash":        {`/${request.path}\..`, 17, "cannot contain this character"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := testEnv(t).CompilePath(tt.in)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Column != tt.column || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %v, want column %d and %q", err, tt.column, tt.message)
			}
		})
	}
}
