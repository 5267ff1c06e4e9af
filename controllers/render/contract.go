package render

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// Contract returns what gateways need to know of a service. Its members have the paths that they have in the spec, so
// that "spec." before the path of an error of config.Validate names the service's field. Contract does not validate;
// it fails on a duration that the API would have refused.
func Contract(s *v1alpha1.LLMService) (*config.Config, error) {
	c := &config.Config{
		Version: config.Version,
		Service: config.Service{Name: s.Name, Namespace: s.Namespace},
		Runtime: config.Runtime{MaxInFlight: int(runtimeOf(s).MaxInFlight)},
	}
	for i := range s.Spec.Upstreams {
		upstream, err := contractUpstream(&s.Spec.Upstreams[i])
		if err != nil {
			return nil, fmt.Errorf("spec.upstreams[%d].%w", i, err)
		}
		c.Upstreams = append(c.Upstreams, upstream)
	}
	for i := range s.Spec.Models {
		model := &s.Spec.Models[i]
		c.Models = append(c.Models, config.Model{Name: model.Name, Upstreams: model.Upstreams})
	}
	for i := range s.Spec.Routes {
		route, err := contractRoute(&s.Spec.Routes[i])
		if err != nil {
			return nil, fmt.Errorf("spec.routes[%d].%w", i, err)
		}
		c.Routes = append(c.Routes, route)
	}
	return c, nil
}

func contractUpstream(u *v1alpha1.Upstream) (config.Upstream, error) {
	upstream := config.Upstream{Name: u.Name}
	if u.OpenAI != nil {
		upstream.OpenAI = &config.OpenAI{Model: u.OpenAI.Model}
	}
	for _, endpoint := range u.Endpoints {
		upstream.Endpoints = append(upstream.Endpoints, config.Endpoint{URL: endpoint.URL})
	}
	if u.Auth != nil && u.Auth.Bearer != nil {
		key := u.Auth.Bearer.SecretKeyRef
		upstream.Auth = &config.Auth{Bearer: &config.SecretFile{Secret: key.Name, Key: key.Key}}
	}
	timeouts, err := contractTimeouts(u.Timeouts)
	upstream.Timeouts = timeouts
	return upstream, err
}

func contractTimeouts(t *v1alpha1.UpstreamTimeouts) (config.Timeouts, error) {
	from, to := valueOf(t), config.Timeouts{}
	for _, field := range []struct {
		name string
		from v1alpha1.Duration
		to   *config.Duration
	}{
		{"connect", from.Connect, &to.Connect},
		{"firstToken", from.FirstToken, &to.FirstToken},
		{"idle", from.Idle, &to.Idle},
		{"total", from.Total, &to.Total},
	} {
		parsed, err := field.from.Parse()
		if err != nil {
			return to, fmt.Errorf("timeouts.%s: %w", field.name, err)
		}
		*field.to = config.Duration(parsed)
	}
	return to, nil
}

func contractRoute(r *v1alpha1.Route) (config.Route, error) {
	timeout, err := r.Timeout.Parse()
	if err != nil {
		return config.Route{}, fmt.Errorf("timeout: %w", err)
	}
	route := config.Route{
		Path:     r.Path,
		Method:   string(r.Method),
		Summary:  r.Summary,
		Timeout:  config.Duration(timeout),
		Response: &config.Response{Stream: r.Response.Stream, Body: jsonValue(r.Response.Body)},
	}
	if r.Request != nil {
		route.Request = &config.Request{Schema: jsonValue(r.Request.Schema)}
	}
	for i := range r.Steps {
		route.Steps = append(route.Steps, contractStep(&r.Steps[i]))
	}
	return route, nil
}

func contractStep(s *v1alpha1.Step) config.Step {
	step := config.Step{Name: s.Name}
	if s.Chat == nil {
		return step
	}
	step.Chat = &config.Chat{Upstream: s.Chat.Upstream, Parameters: jsonValue(s.Chat.Parameters)}
	for _, message := range s.Chat.Messages {
		step.Chat.Messages = append(step.Chat.Messages, config.Message{Role: string(message.Role), Content: message.Content})
	}
	return step
}

func jsonValue(j *v1alpha1.JSON) jsontext.Value {
	if j == nil {
		return nil
	}
	return jsontext.Value(j.Raw)
}
