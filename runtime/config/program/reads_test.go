package program

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// What templates read of a request is known before there is one: wherever they stand in the route, and for whichever upstream's key.
func TestWhatRoutesReadOfRequests(t *testing.T) {
	all := []string{"body", "client", "headers", "path", "url"}
	for name, tt := range map[string]struct {
		change func(c *config.Config, r *config.Route)
		want   []string
	}{
		"nothing else": {func(*config.Config, *config.Route) {}, []string{"body"}},
		"response":     {func(_ *config.Config, r *config.Route) { r.Response.Body = []byte(`{"a":["${request.headers.a}"]}`) }, []string{"body", "headers"}},
		"head": {func(_ *config.Config, r *config.Route) {
			r.Response.Headers = map[string]string{"X-From": "x ${request.client.address} ${request.path}"}
		}, []string{"body", "client", "path"}},
		"step": {func(_ *config.Config, r *config.Route) {
			r.Steps[0].When = "${request.path != '' || has(request.headers.a)}"
		}, []string{"body", "headers", "path"}},
		"whole": {func(_ *config.Config, r *config.Route) { r.Response.Body = []byte(`"${request}"`) }, all},
		"key": {func(c *config.Config, _ *config.Route) {
			c.Upstreams[0].LoadBalancing, c.Upstreams[0].ConsistentHash = config.ConsistentHash, &config.KeyedBalancing{Key: "${request.url}"}
		}, []string{"body", "url"}},
		"dependency of the service": {func(c *config.Config, _ *config.Route) {
			refuse := config.Step{Name: "s", When: "${input.a == ''}", Respond: &config.Respond{Status: 401}}
			c.Functions = append(c.Functions, config.Function{Name: "f", Steps: []config.Step{refuse}, Output: []byte(`1`)})
			c.Dependencies = []config.ServiceDependency{{Dependency: config.Dependency{
				Name: "d", Call: config.Call{Function: "f", Input: []byte(`{"a":"${request.headers.a}"}`)},
			}}}
		}, []string{"body", "headers"}},
	} {
		c := valid()
		c.Routes = c.Routes[:1]
		c.Routes[0].Response = &config.Response{Body: []byte(`"${request.body}"`)}
		tt.change(c, &c.Routes[0])
		p, errs := Compile(c)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", name, errs)
		}
		var got []string
		for _, member := range all {
			if p.Routes[0].Reads.Member(member) {
				got = append(got, member)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is read of completions is known for the config as a whole, since functions are called from several routes; a value that is
// passed on whole may be read in any way.
func TestWhatIsReadOfCompletions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *config.Config, r *config.Route)
		want   []string
	}{
		"text": {func(_ *config.Config, r *config.Route) {
			r.Response.Body = []byte(`"${steps.a.text} ${steps.a.finishReason}"`)
		}, nil},
		"message":   {func(_ *config.Config, r *config.Route) { r.Response.Body = []byte(`"${steps.a.message.content}"`) }, []string{"message"}},
		"condition": {func(_ *config.Config, r *config.Route) { r.Steps[1].When = "${has(steps.a.usage.total_tokens)}" }, []string{"usage"}},
		"a step":    {func(_ *config.Config, r *config.Route) { r.Response.Body = []byte(`"${steps.a}"`) }, []string{"message", "usage"}},
		"all steps": {func(_ *config.Config, r *config.Route) { r.Response.Body = []byte(`"${size(steps)}"`) }, []string{"message", "usage"}},
		"by another name": {func(_ *config.Config, r *config.Route) {
			r.Response.Body = []byte(`"${[steps.a].map(x, x.usage)}"`)
		}, []string{"message", "usage"}},
		"a stream": {func(_ *config.Config, r *config.Route) { r.Response = &config.Response{Stream: "b"} }, []string{"usage"}},
		"a function": {func(c *config.Config, _ *config.Route) {
			chat := config.Step{Name: "inner", Action: config.Action{Chat: &config.Chat{
				Upstream: c.Upstreams[0].Name, Messages: []config.Message{{Role: "user", Content: "Hello"}},
			}}}
			c.Functions = append(c.Functions, config.Function{Name: "f", Steps: []config.Step{chat}, Output: []byte(`"${steps.inner.message}"`)})
		}, []string{"message"}},
	} {
		c := valid()
		c.Routes = c.Routes[:1]
		ask := config.Step{Name: "a", Action: config.Action{Chat: &config.Chat{
			Upstream: c.Upstreams[0].Name, Messages: []config.Message{{Role: "user", Content: "${request.path}"}},
		}}}
		c.Routes[0].Steps = []config.Step{ask, {Name: "b", Action: ask.Action}}
		c.Routes[0].Response = &config.Response{Body: []byte(`1`)}
		tt.change(c, &c.Routes[0])
		p, errs := Compile(c)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", name, errs)
		}
		var got []string
		for _, member := range []string{"message", "usage"} {
			if p.Routes[0].Completions.Member(member) {
				got = append(got, member)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
