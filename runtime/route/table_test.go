package route

import (
	"slices"
	"testing"

	"github.com/llmservice/llmservice/runtime/problem"
)

func TestMatch(t *testing.T) {
	var table Table[string]
	for _, r := range [][3]string{{"POST", "/a", "post a"}, {"GET", "/a", "get a"}, {"GET", "/b", "get b"}} {
		if !table.Add(r[0], r[1], r[2]) {
			t.Fatalf("Add %v refused", r)
		}
	}
	if table.Add("GET", "/b", "again") {
		t.Error("the same method and path were taken twice")
	}
	tests := []struct {
		method, path, want string
		code               problem.Code
		allow              []string
	}{
		{method: "POST", path: "/a", want: "post a"},
		{method: "GET", path: "/a", want: "get a"},
		{method: "PUT", path: "/a", code: problem.MethodNotAllowed, allow: []string{"GET", "POST"}},
		{method: "GET", path: "/a/", code: problem.NotFound},
		{method: "GET", path: "/", code: problem.NotFound},
	}
	for _, tt := range tests {
		got, err := table.Match(tt.method, tt.path)
		switch {
		case tt.code == "" && (err != nil || got != tt.want):
			t.Errorf("%s %s: %q, %v", tt.method, tt.path, got, err)
		case tt.code != "" && (err == nil || err.Code != tt.code || !slices.Equal(err.Allow, tt.allow)):
			t.Errorf("%s %s: %+v, want %s allowing %v", tt.method, tt.path, err, tt.code, tt.allow)
		}
	}
}

func TestMatchOnAnEmptyTable(t *testing.T) {
	var table Table[int]
	if _, err := table.Match("GET", "/"); err == nil || err.Code != problem.NotFound {
		t.Errorf("error %v, want not found", err)
	}
}
