package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// Whoever tries a manifest sees which endpoint fails, and once only.
func TestDevReportsEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		script := []string{"", "Ejected", "Ejected", "Probed", "Ejected", "Probed", "SlowStarting", "", ""}
		status := func() report.Status {
			u := report.Upstream{Name: "fast"}
			at := int(time.Since(began)/time.Second) - 1
			if script[at] != "" {
				u.Unavailable = []report.Endpoint{{Host: "127.0.0.1:8000", Condition: script[at]}}
			}
			return report.Status{Upstreams: []report.Upstream{u, {Name: "other"}}}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(script))*time.Second+time.Millisecond)
		defer cancel()
		var out strings.Builder
		if err := (&dev{out: &out}).watchUpstreams(ctx, status); err != nil {
			t.Fatal(err)
		}
		fails, tried := "upstream fast: 127.0.0.1:8000 fails, and gets no calls for a while", "upstream fast: 127.0.0.1:8000 was left out, and is being tried"
		want := []string{
			fails, tried, fails, tried,
			"upstream fast: 127.0.0.1:8000 answers again, and gets more calls by and by",
			"upstream fast: 127.0.0.1:8000 answers again",
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
			t.Error(diff)
		}
	})
}
