package program

import (
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

func TestPricesOfUpstreams(t *testing.T) {
	for name, tt := range map[string]struct {
		prices config.Prices
		http   bool
		want   string
	}{
		"all":            {config.Prices{Input: "0.25", CachedInput: "0.025", Output: "2", Reasoning: "3.5"}, false, ""},
		"input alone":    {config.Prices{Input: "0.02"}, false, ""},
		"none":           {config.Prices{}, false, "upstreams[0].prices: is empty"},
		"of a service":   {config.Prices{Input: "1"}, true, "prices: is not allowed for an HTTP service"},
		"below zero":     {config.Prices{Input: "-1"}, false, "prices.input: is \"-1\", want a decimal number"},
		"an exponent":    {config.Prices{Output: "1e9"}, false, "prices.output: is \"1e9\""},
		"not a number":   {config.Prices{Input: "1", CachedInput: "NaN"}, false, "prices.cachedInput: is \"NaN\""},
		"of many digits": {config.Prices{Input: "1", Reasoning: "1234567890"}, false, "prices.reasoning: is"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			u := &c.Upstreams[0]
			if tt.http {
				c.Upstreams = append(c.Upstreams, config.Upstream{
					Name: "search", HTTP: &config.HTTP{}, Endpoints: u.Endpoints, Timeouts: u.Timeouts,
				})
				u = &c.Upstreams[len(c.Upstreams)-1]
			}
			u.Prices = &tt.prices
			wants(t, c, tt.want)
		})
	}
}
