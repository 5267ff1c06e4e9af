package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// TestUnknownNamesListTheKnown, up to a number that a message has room for.
func TestUnknownNamesListTheKnown(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"an upstream": {func(c *config.Config) { c.Models[0].Upstreams[0] = "slow" }, `there is no upstream "slow", want one of fast`},
		"a step":      {func(c *config.Config) { c.Routes[0].Response = &config.Response{Stream: "anser"} }, `there is no step "anser", want one of answer`},
		"a function": {func(c *config.Config) {
			c.Routes[0].Steps[0] = config.Step{Name: "answer", Action: config.Action{Call: &config.Call{Function: "look"}}}
		}, `there is no function "look", want none, since none is declared`},
		"one of many": {func(c *config.Config) {
			for i := range 9 {
				u := c.Upstreams[0]
				u.Name = fmt.Sprintf("u%d", i)
				c.Upstreams = append(c.Upstreams, u)
			}
			c.Models[0].Upstreams[0] = "slow"
		}, `there is no upstream "slow", want one of fast, u0, u1, u2, u3, u4, u5, u6 and 2 more`},
	} {
		c := valid()
		tt.change(c)
		if got := Validate(c).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
	}
}
