package gateway

import (
	"fmt"
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/flow"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/openapi"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/route"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// snapshot is one config, compiled. It is immutable: a request ends on the one that it began with.
type snapshot struct {
	revision    string
	maxInFlight int
	bodyLimit   int64 // of a request, in bytes
	table       route.Table[serves]
	secrets     []config.SecretFile
	// keys says which upstream uses which secret.
	keys []report.RefusedKey
}

// serves is what answers the requests of one route.
type serves struct {
	// name labels the route in metrics and logs: its path, which the config bounds, never a client's.
	name   string
	decide decider
}

// compile makes a snapshot of a config that program.Load accepted.
func (g *Gateway) compile(p *program.Program, revision string) (*snapshot, error) {
	c := p.Config
	s := &snapshot{
		revision: revision, maxInFlight: c.Runtime.MaxInFlight, bodyLimit: c.Runtime.BodyLimit(),
		secrets: c.SecretFiles(), keys: keysOf(c),
	}
	upstreams := g.upstreams(c)
	env := &flow.Environment{
		Client: g.client, Upstreams: upstreams, Fronts: protocol.Formats(), MaxStreamDuration: g.options.MaxStreamDuration,
		Heavy: g.admission.Heavy, Observe: g.observe, Report: g.report,
		InvalidAnswer: g.metrics.InvalidAnswer, Panicked: g.panicked,
	}
	routes, err := flow.Compile(p, env)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if err := s.table.Add(r.Method, r.Path, serves{name: r.Path, decide: routes[i].Decide}); err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
	}
	if err := s.addModels(c, env, g.explain); err != nil {
		return nil, err
	}
	return s, s.addDocument(c)
}

func (g *Gateway) upstreams(c *config.Config) map[string]*upstream.Upstream {
	all := make(map[string]*upstream.Upstream, len(c.Upstreams))
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		o := upstream.Options{
			Name: u.Name, Credentials: g.credentials,
			Timeouts: upstream.Timeouts{
				Connect: u.Timeouts.Connect.Std(), FirstToken: u.Timeouts.FirstToken.Std(),
				Idle: u.Timeouts.Idle.Std(), Total: u.Timeouts.Total.Std(),
			},
		}
		name, model := u.Protocol()
		o.Dialect, o.Model = protocol.Named(name), model
		for _, e := range u.Endpoints {
			o.Endpoints = append(o.Endpoints, g.endpoints.Get(upstream.EndpointKey{Upstream: u.Name, URL: e.URL}))
		}
		if u.Auth != nil {
			o.SecretPath = u.Auth.Bearer.Path()
		}
		all[u.Name] = upstream.New(o)
	}
	return all
}

func (s *snapshot) addModels(c *config.Config, env *flow.Environment, explain func(llm.Rejection) *problem.Said) error {
	models := map[string]*model{}
	var names []string
	for i := range c.Models {
		m := &model{name: c.Models[i].Name}
		for _, name := range c.Models[i].Upstreams {
			m.upstreams = append(m.upstreams, env.Upstreams[name])
		}
		models[m.name] = m
		names = append(names, m.name)
	}
	front := protocol.All[0].Front
	list, err := front.WriteModels(names)
	if err != nil {
		return err
	}
	chat := &completions{front: front, env: env, models: models, explain: explain}
	if err := s.table.Add("POST", completionsPath, serves{name: completionsPath, decide: chat.decide}); err != nil {
		return err
	}
	return s.table.Add("GET", modelsPath, serves{name: modelsPath, decide: always(relay.JSON(list))})
}

func (s *snapshot) addDocument(c *config.Config) error {
	document, err := openapi.Build(c)
	if err != nil {
		return fmt.Errorf("describe the routes: %w", err)
	}
	decide := always(relay.JSON(document))
	return s.table.Add("GET", openapi.DocumentPath, serves{name: openapi.DocumentPath, decide: decide})
}

// keysOf says which upstream uses which secret, in the order of the config.
func keysOf(c *config.Config) []report.RefusedKey {
	var keys []report.RefusedKey
	for i := range c.Upstreams {
		if u := &c.Upstreams[i]; u.Auth != nil && u.Auth.Bearer != nil {
			keys = append(keys, report.RefusedKey{Upstream: u.Name, SecretFile: *u.Auth.Bearer})
		}
	}
	return keys
}

// endpointKeys are those of the endpoints that the config names.
func endpointKeys(c *config.Config) map[upstream.EndpointKey]bool {
	keys := map[upstream.EndpointKey]bool{}
	for i := range c.Upstreams {
		for e := range slices.Values(c.Upstreams[i].Endpoints) {
			keys[upstream.EndpointKey{Upstream: c.Upstreams[i].Name, URL: e.URL}] = true
		}
	}
	return keys
}
