package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/exchange"
)

// TestConfigsHaveTheGatesThatTheyWant, in the order of the list.
func TestConfigsHaveTheGatesThatTheyWant(t *testing.T) {
	of := func(service string, patience time.Duration) gateMaker {
		return func(_ *Gateway, c *config.Config) *exchange.Gate {
			if c.Service.Name != service {
				return nil
			}
			return &exchange.Gate{Patience: patience}
		}
	}
	makers := []gateMaker{of("guarded", 2), of("open", 3), of("guarded", 1)}
	for service, want := range map[string][]time.Duration{"guarded": {2, 1}, "open": {3}, "other": nil} {
		var got []time.Duration
		for _, gate := range (&Gateway{}).gatesOf(&config.Config{Service: config.Service{Name: service}}, makers) {
			got = append(got, gate.Patience)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the gates of %q (-want +got):\n%s", service, diff)
		}
	}
}
