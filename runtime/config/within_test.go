package config

import (
	"strings"
	"testing"
)

func TestWithin(t *testing.T) {
	c := &Config{
		Upstreams: []Upstream{{Name: "fast"}, {}},
		Routes: []Route{{Path: "/support", Method: "POST", Steps: []Step{
			{}, {Name: "answer", Gather: &Gather{Branches: []Branch{{Name: "big"}}}},
		}}, {Path: "/${x}"}, {Path: "/" + strings.Repeat("a", maxShownName)}},
	}
	for path, want := range map[string]string{
		"routes[0].steps[1].gather.branches[0].chat.upstream": "routes[/support].steps[answer].branches[big]",
		"routes[0].steps[0].chat":                             "routes[/support]",
		"routes[0].steps[9].chat":                             "routes[/support]",
		"routes[0]":                                           "routes[/support]",
		"routes[1].path":                                      "", // it is what is wrong, and is shown there
		"routes[2].path":                                      "",
		"upstreams[0].endpoints[0].url":                       "upstreams[fast]",
		"upstreams[1].endpoints[0].url":                       "",
		"runtime.maxInFlight":                                 "",
		"":                                                    "",
	} {
		if got := Within(c.Document(), path); got != want {
			t.Errorf("%s is within %q, want %q", path, got, want)
		}
	}
	if got := NamedPath("routes[0].path", "routes[/x]"); got != "routes[0].path (routes[/x])" || NamedPath("a", "") != "a" {
		t.Error(got)
	}
}
