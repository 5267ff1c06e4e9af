package upstream

import (
	"strconv"
	"strings"
	"testing"
)

func TestLocations(t *testing.T) {
	var urls locations
	for raw, want := range map[string]location{
		"http://a.test/v1/x":        {host: "a.test", target: "/v1/x", known: true},
		"https://a.test:8443":       {https: true, host: "a.test:8443", target: "/", known: true},
		"http://a.test/x?key=k":     {host: "a.test", target: "/x?key=k", known: true},
		"http://[fe80::1%25eth0]/x": {},
		"ftp://a.test/":             {},
		"http:///x":                 {},
		"http://a b/":               {},
	} {
		for range 2 { // the second time it may be remembered
			if got := urls.of(raw); got != want {
				t.Errorf("%s: %+v, want %+v", raw, got, want)
			}
		}
	}
	if _, kept := urls.all["http://a.test/x?key=k"]; kept {
		t.Error("a URL with a query is remembered, which may have a key in it")
	}
	for i := range 3 * maxLocations {
		urls.of("http://a.test/" + strconv.Itoa(i))
	}
	urls.of("http://a.test/" + strings.Repeat("x", longestLocation))
	if n := len(urls.all); n > maxLocations {
		t.Errorf("%d URLs are remembered, want at most %d", n, maxLocations)
	}
	for raw := range urls.all {
		if len(raw) > longestLocation {
			t.Errorf("a URL of %d bytes is remembered, want at most %d", len(raw), longestLocation)
		}
	}
	if n := testing.AllocsPerRun(100, func() { urls.of("http://a.test/v1/x") }); n > 0 {
		t.Errorf("a URL that is remembered allocates %v times", n)
	}
}
