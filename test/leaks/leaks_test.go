package leaks

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A secret is found in each form and in each place, and what is not there is not found.
func TestLeaksAreFound(t *testing.T) {
	const secret = "a canary/7"
	for _, text := range []string{
		"x" + secret, `{"a":"a canary/7"}`, "?q=a%20canary/7", base64.StdEncoding.EncodeToString([]byte(secret)), "612063616e6172792f37",
		"[97 32 99 97 110 97 114 121 47 55]",
	} {
		if found := In(text, "other", secret); len(found) == 0 {
			t.Errorf("%s has no secret", text)
		}
	}
	if found := In("a canary/8", secret); found != nil {
		t.Errorf("found %q", found)
	}
	for _, leaky := range []string{"", "/status", "/docs", "/absent"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == leaky {
				_, _ = w.Write([]byte("says " + secret))
			}
		}))
		found, err := Of(t.Context(), "a log", server.URL, server.URL, secret)
		if err != nil || len(found) > 0 != (leaky == "/status" || leaky == "/docs") || len(found) > 0 && !strings.Contains(found[0], leaky+" has") {
			t.Errorf("a leak at %q: %q, %v", leaky, found, err)
		}
		server.Close()
	}
	if found, err := Of(t.Context(), secret, "http://127.0.0.1:1", "http://127.0.0.1:1", secret); err == nil {
		t.Errorf("pages that cannot be read have %q", found)
	}
}
