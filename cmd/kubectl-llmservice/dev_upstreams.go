package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// glance is how often upstreams are looked at.
const glance = time.Second

// watchUpstreams reports which endpoints fail, and which are back.
func (d *dev) watchUpstreams(ctx context.Context, status func() report.Status) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	known := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			known = d.reportEndpoints(known, status().Upstreams)
		}
	}
}

// reportEndpoints reports what is different from what is known of the endpoints, and returns what is known now.
func (d *dev) reportEndpoints(known map[string]string, upstreams []report.Upstream) map[string]string {
	now := map[string]string{}
	for _, u := range upstreams {
		for _, e := range u.Unavailable {
			now[strings.TrimSpace(u.Name+" "+e.Host+" "+e.Address)] = e.Condition
		}
	}
	for _, endpoint := range slices.Sorted(maps.Keys(now)) {
		if known[endpoint] != now[endpoint] {
			d.sayEndpoint(endpoint, now[endpoint])
		}
	}
	for _, endpoint := range slices.Sorted(maps.Keys(known)) {
		if now[endpoint] == "" {
			d.sayEndpoint(endpoint, "Available")
		}
	}
	return now
}

// conditions say what an endpoint's condition means for its calls.
var conditions = map[string]string{
	"Ejected":      "fails, and gets no calls for a while",
	"Probed":       "was left out, and is being tried",
	"SlowStarting": "answers again, and gets more calls by and by",
	"Available":    "answers again",
}

func (d *dev) sayEndpoint(endpoint, condition string) {
	upstream, host, _ := strings.Cut(endpoint, " ")
	d.sayf("upstream %s: %s %s", upstream, host, conditions[condition])
}
