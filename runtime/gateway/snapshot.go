package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/flow"
	"github.com/llmservice/llmservice/runtime/front"
	"github.com/llmservice/llmservice/runtime/openapi"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// snapshot is one config, compiled. It is immutable: a request ends on the one that it began with.
type snapshot struct {
	revision    string
	maxInFlight int
	serving     *exchange.Serving
	secrets     []config.SecretFile
	// keys are the secrets that each upstream uses.
	keys []report.RefusedKey
	// upstreams are in the order of the config.
	upstreams []*upstream.Upstream
	// hosts are those that are resolved for it.
	hosts map[string]bool
}

// secretPaths are the paths of the secrets that the config names.
func (s *snapshot) secretPaths() []string {
	paths := make([]string, len(s.secrets))
	for i, file := range s.secrets {
		paths[i] = file.Path()
	}
	return paths
}

// compile makes a snapshot of a config that program.Load accepted.
func (g *Gateway) compile(p *program.Program, revision string) (*snapshot, error) {
	c := p.Config
	upstreams := g.upstreams(c)
	env := &flow.Environment{
		Client: g.client, Upstreams: upstreams, HashKeys: p.HashKeys, Fronts: protocol.Formats(),
		TrustedProxies: p.TrustedProxies, MaxStreamDuration: g.options.MaxStreamDuration, Heavy: g.admission.Heavy,
		Observe: g.metrics.Attempt, Spent: g.spent, Report: g.report,
		InvalidAnswer: g.metrics.InvalidAnswer, Panicked: g.policy.Report,
	}
	table, err := g.table(p, env)
	if err != nil {
		return nil, err
	}
	return &snapshot{
		revision: revision, maxInFlight: c.Runtime.MaxInFlight, secrets: c.SecretFiles(), keys: keysOf(c),
		upstreams: inOrder(c, upstreams), hosts: hostsOf(c),
		serving: &exchange.Serving{
			Revision: revision, LogAll: c.Runtime.RequestLog == config.RequestLogAll, BodyLimit: c.Runtime.BodyLimit(),
			Gates: g.gatesOf(c, gateMakers), Find: g.find(table),
		},
	}, nil
}

// table has everything that a config serves.
func (g *Gateway) table(p *program.Program, env *flow.Environment) (*exchange.Table, error) {
	typed, err := flow.Compile(p, env)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	document, err := openapi.Build(p)
	if err != nil {
		return nil, fmt.Errorf("describe the routes: %w", err)
	}
	table := newTable()
	for i := range p.Config.Routes {
		r := &p.Config.Routes[i]
		err := table.Add(&exchange.Route{Method: r.Method, Path: r.Path, Format: flow.Format, Decide: typed[i].Decide})
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
	}
	if err := g.addModels(table, p.Config, env, flow.Models(p, typed)); err != nil {
		return nil, err
	}
	return table, table.Add(&exchange.Route{
		Method: http.MethodGet, Path: openapi.DocumentPath, Format: flow.Format, Decide: exchange.Always(relay.JSON(document)),
	})
}

// addModels adds the endpoints of each protocol that has any.
func (g *Gateway) addModels(table *exchange.Table, c *config.Config, env *flow.Environment, routed map[string]*flow.Model) error {
	models := make([]front.Model, len(c.Models))
	for i := range models {
		models[i] = modelOf(&c.Models[i], env)
		if route := routed[models[i].Name]; route != nil {
			models[i].Route = route
		}
	}
	for _, p := range protocol.All {
		if p.Prefix == "" {
			continue
		}
		endpoints := front.Endpoints{
			Front: p.Front, Prefix: p.Prefix, Models: models, Secrets: g.secrets,
			Client: env.Client, Observe: env.Observe, Spent: env.Spent, MaxStreamDuration: env.MaxStreamDuration,
			Key: env.Key,
		}
		routes, err := endpoints.Routes()
		if err != nil {
			return err
		}
		for _, r := range routes {
			if err := table.Add(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func modelOf(m *config.Model, env *flow.Environment) front.Model {
	model := front.Model{Name: m.Name, KeepAlive: m.KeepAlive.Std()}
	for _, name := range m.Upstreams {
		model.Upstreams = append(model.Upstreams, env.Upstreams[name])
	}
	if len(m.Weights) > 0 {
		model.Weights = make([]int, len(m.Upstreams))
	}
	for _, w := range m.Weights {
		model.Weights[slices.Index(m.Upstreams, w.Upstream)] = w.Weight
	}
	return model
}

// newTable returns a table without routes, which has the error formats for all paths.
func newTable() *exchange.Table {
	table := &exchange.Table{}
	rests := map[string]problem.ErrorFormat{"/": flow.Format}
	for _, p := range protocol.All {
		if prefix := p.Prefix + "/"; p.Prefix != "" && rests[prefix] == nil {
			rests[prefix] = p.Front.Errors() // of several below one prefix the first counts
		}
	}
	for prefix, format := range rests {
		if err := table.AddRest(prefix, format); err != nil {
			panic(fmt.Sprintf("gateway: %v", err)) // the program's own prefixes
		}
	}
	return table
}

// find looks for a page first, then in the table.
func (g *Gateway) find(table *exchange.Table) func(h *relay.Head) exchange.Found {
	return func(h *relay.Head) exchange.Found {
		if reply, page := g.pages.Reply(h.Method, h.Path, h.Header); page != "" {
			return exchange.Found{Route: &exchange.Route{Path: page, Format: flow.Format, Decide: exchange.Always(reply)}}
		}
		return table.Find(h)
	}
}

// unconfigured is what a gateway serves that has not loaded a config yet.
func unconfigured() *exchange.Serving {
	table := newTable()
	return &exchange.Serving{Find: func(h *relay.Head) exchange.Found {
		found := table.Find(h)
		found.Wrong = problem.NoEndpoint(exchange.Retry).WithMessage("The service has no configuration yet.")
		return found
	}}
}

func (g *Gateway) upstreams(c *config.Config) map[string]*upstream.Upstream {
	all := make(map[string]*upstream.Upstream, len(c.Upstreams))
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		o := upstream.Options{
			Name: u.Name, Credentials: g.credentials,
			Auth: authOf(u.Auth), Headers: valuesOf(u.Headers), Query: valuesOf(u.Query),
			TLS: tlsOf(u.TLS), MaxConnectionAge: cmp.Or(u.MaxConnectionAge.Std(), config.DefaultMaxConnectionAge),
			Timeouts: upstream.Timeouts{
				Connect: u.Timeouts.Connect.Std(), Header: u.Timeouts.Header.Std(), FirstToken: u.Timeouts.FirstToken.Std(),
				Idle: u.Timeouts.Idle.Std(), Total: u.Timeouts.Total.Std(),
			},
		}
		o.Prices = pricesOf(u.Prices)
		_, o.Model = u.Protocol()
		o.Dialect, o.Passes, o.Edit = protocol.DialectOf(u), protocol.Passes(u), protocol.EditOf(u)
		g.balance(&o, u)
		all[u.Name] = upstream.New(o)
	}
	return all
}

// pricesOf reads prices that Validate has accepted; nil where there are none.
func pricesOf(p *config.Prices) *upstream.Prices {
	if p == nil {
		return nil
	}
	price := func(text, otherwise string) float64 {
		n, _ := config.Price(text, otherwise)
		return n
	}
	return &upstream.Prices{
		Input: price(p.Input, ""), CachedInput: price(p.CachedInput, p.Input),
		Output: price(p.Output, ""), Reasoning: price(p.Reasoning, p.Output),
	}
}

// inOrder are upstreams in the order of the config.
func inOrder(c *config.Config, byName map[string]*upstream.Upstream) []*upstream.Upstream {
	all := make([]*upstream.Upstream, len(c.Upstreams))
	for i := range c.Upstreams {
		all[i] = byName[c.Upstreams[i].Name]
	}
	return all
}

// keysOf lists the secrets that each upstream uses, in the order of the config.
func keysOf(c *config.Config) []report.RefusedKey {
	files := c.SecretFiles()
	var keys []report.RefusedKey
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		for _, file := range u.Keys() {
			keys = append(keys, report.RefusedKey{
				Upstream: u.Name, UpstreamIndex: i, SecretFile: file, Index: slices.Index(files, file),
			})
		}
	}
	return keys
}

// endpointKeys are those of the endpoints that the config names, and of which of these each address is one.
func endpointKeys(c *config.Config) (keys, spread map[upstream.EndpointKey]bool) {
	keys, spread = map[upstream.EndpointKey]bool{}, map[upstream.EndpointKey]bool{}
	for i := range c.Upstreams {
		for e := range slices.Values(c.Upstreams[i].Endpoints) {
			key := upstream.EndpointKey{Upstream: c.Upstreams[i].Name, URL: e.URL}
			keys[key] = true
			spread[key] = spread[key] || e.SpreadHost() != ""
		}
	}
	return keys, spread
}

// hostsOf are the hosts of which each address is an endpoint.
func hostsOf(c *config.Config) map[string]bool {
	hosts := map[string]bool{}
	for i := range c.Upstreams {
		for e := range slices.Values(c.Upstreams[i].Endpoints) {
			if host := e.SpreadHost(); host != "" {
				hosts[host] = true
			}
		}
	}
	return hosts
}
