package render

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// Contract returns what gateways need to know of a service. Its members have the paths that they have in the spec, so
// that "spec." before the path of an error of program.Validate names the service's field. Contract does not validate;
// it fails on a duration that the API would have refused.
func Contract(s *v1alpha1.LLMService) (*config.Config, error) {
	c := &config.Config{
		Version: config.Version,
		Service: config.Service{Name: s.Name, Namespace: s.Namespace},
		Runtime: config.Runtime{MaxInFlight: int(runtimeOf(s).MaxInFlight)},
	}
	if limit := runtimeOf(s).RequestBodyLimit; limit != nil {
		c.Runtime.RequestBodyLimit = limit.Value()
	}
	for i := range s.Spec.Models {
		model := &s.Spec.Models[i]
		c.Models = append(c.Models, config.Model{Name: model.Name, Upstreams: model.Upstreams})
	}
	var err error
	if c.Upstreams, err = each("spec.upstreams", s.Spec.Upstreams, contractUpstream); err != nil {
		return nil, err
	}
	if c.Functions, err = each("spec.functions", s.Spec.Functions, contractFunction); err != nil {
		return nil, err
	}
	c.Routes, err = each("spec.routes", s.Spec.Routes, contractRoute)
	return c, err
}

// each translates the items of the list at a path, and puts an item's path before that of its error.
func each[From, To any](path string, list []From, translate func(*From) (To, error)) ([]To, error) {
	var translated []To
	for i := range list {
		item, err := translate(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%s[%d].%w", path, i, err)
		}
		translated = append(translated, item)
	}
	return translated, nil
}

// member translates a member that may be absent, and puts its name before its error's path.
func member[From, To any](name string, from *From, translate func(*From) (To, error)) (*To, error) {
	if from == nil {
		return nil, nil //nolint:nilnil // absent stays absent
	}
	translated, err := translate(from)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", name, err)
	}
	return &translated, nil
}

func contractUpstream(u *v1alpha1.Upstream) (config.Upstream, error) {
	upstream := config.Upstream{Name: u.Name}
	if u.OpenAI != nil {
		upstream.OpenAI = &config.OpenAI{Model: u.OpenAI.Model}
	}
	if u.HTTP != nil {
		upstream.HTTP = &config.HTTP{}
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
		var err error
		if *field.to, err = duration("timeouts."+field.name, field.from); err != nil {
			return to, err
		}
	}
	return to, nil
}

func duration(path string, d v1alpha1.Duration) (config.Duration, error) {
	parsed, err := d.Parse()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return config.Duration(parsed), nil
}

// optionalDuration is 0 where there is none.
func optionalDuration(path string, d v1alpha1.Duration) (config.Duration, error) {
	if d == "" {
		return 0, nil
	}
	return duration(path, d)
}

func jsonValue(j *v1alpha1.JSON) jsontext.Value {
	if j == nil {
		return nil
	}
	return jsontext.Value(j.Raw)
}
