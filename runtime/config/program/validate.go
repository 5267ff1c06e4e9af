package program

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/bounds"
)

// validator collects errors, compiles what it reads, and knows the names that fields may refer to.
type validator struct {
	ctx       context.Context //nolint:containedctx // it lives for one call
	errs      config.Errors
	source    *config.Config
	upstreams map[string]*config.Upstream
	functions map[string]*function
	hashKeys  map[string]*HashKey
	automata  int // instructions of all patterns so far
	// expressions is what checking all expressions so far has taken.
	expressions int
	// shared is what each route has before its own.
	shared    shared
	calling   []string        // the functions being read, outermost first
	templated map[string]bool // the paths of fields that are templates
	// known is what all checks of what is known before a request may take together.
	known known
	// completions are what is read of them, anywhere.
	completions Reads
}

func (v *validator) config(c *config.Config) *Program {
	v.source, v.errs = c, c.Check()
	proxies := v.networks("runtime.trustedProxies", c.Runtime.TrustedProxies)
	for i := range c.Upstreams {
		v.upstream(config.Item("upstreams", i), &c.Upstreams[i])
	}
	v.models(c.Models)
	compiled := &Program{Config: c, Functions: v.allFunctions(c.Functions), TrustedProxies: proxies}
	v.serviceDependencies(c)
	compiled.Routes = v.routes(c.Routes)
	compiled.Models, compiled.HashKeys = v.modelRoutes(c.Models, compiled.Routes), v.hashKeys
	keyed(compiled.Routes, compiled.HashKeys)
	v.completed(compiled)
	if v.literals(c); len(v.errs) == 0 {
		v.errs = bounds.Unmeetable(c)
	}
	return compiled
}

// networks reads a list of networks in CIDR notation.
func (v *validator) networks(path string, texts []string) []netip.Prefix {
	var all addresses.List
	for i, text := range texts {
		if err := all.Set(text); err != nil {
			v.addf(config.Item(path, i), "is %q: %v", text, err)
		}
	}
	return all
}

func (v *validator) addf(path, format string, args ...any) {
	v.errs = append(v.errs, config.FieldErrorf(path, format, args...))
}

// maxListed is how many names an error lists of those that would be right.
const maxListed = 8

// wantOneOf says which names would have been right.
func wantOneOf(names []string) string {
	more := len(names) - maxListed
	switch {
	case len(names) == 0:
		return "want none, since none is declared"
	case more > 0:
		return fmt.Sprintf("want one of %s and %d more", strings.Join(names[:maxListed], ", "), more)
	}
	return "want one of " + strings.Join(names, ", ")
}

func (v *validator) upstream(path string, u *config.Upstream) {
	switch {
	case u.Name == "":
		v.addf(path+".name", "is required")
	case v.upstreams[u.Name] != nil:
		v.addf(path+".name", "%q is the name of another upstream, want a name of its own", u.Name)
	}
	v.upstreams[u.Name] = u
	v.protocol(path, u)
	if len(u.Endpoints) == 0 {
		v.addf(path+".endpoints", "is empty, want at least one endpoint")
	}
	for i, e := range u.Endpoints {
		v.endpoint(fmt.Sprintf("%s.endpoints[%d].url", path, i), e.URL)
	}
	v.auth(path+".auth", u.Auth)
	v.upstreamHeaders(path, u)
	v.upstreamQuery(path, u)
	v.tls(path, u)
	if u.MaxConnectionAge < 0 {
		v.addf(path+".maxConnectionAge", "is %s, want more than 0s", u.MaxConnectionAge.Std())
	}
	v.balancing(path, u)
	v.timeouts(path+".timeouts", u)
	v.prices(path+".prices", u)
}

func (v *validator) protocol(path string, u *config.Upstream) {
	switch {
	case u.OpenAI == nil && u.HTTP == nil:
		v.addf(path, "has no protocol, want one of openAI and http")
	case u.OpenAI != nil && u.HTTP != nil:
		v.addf(path, "has both openAI and http, want one of them")
	case u.OpenAI != nil && u.OpenAI.Model == "":
		v.addf(path+".openAI.model", "is required")
	}
	if u.OpenAI != nil {
		v.apis(path+".openAI.apis", u.OpenAI.APIs)
		v.edits(path+".openAI", u.OpenAI)
	}
}

// edits checks what is changed of requests on their way to an upstream.
func (v *validator) edits(path string, o *config.OpenAI) {
	if len(o.Omit) > config.MaxOmitted {
		v.addf(path+".omit", "has %d members, want at most %d", len(o.Omit), config.MaxOmitted)
	}
	for i, member := range o.Omit {
		here := config.Item(path+".omit", i)
		switch {
		case member == "":
			v.addf(here, "is empty, want the name of a member")
		case slices.Contains(config.Needed, member):
			v.addf(here, "%q is always sent, want a member that upstreams can do without", member)
		case slices.Contains(o.Omit[:i], member):
			v.addf(here, "%q is there twice, want it once", member)
		}
	}
	if o.TokenLimit != "" && !slices.Contains(config.TokenLimits, o.TokenLimit) {
		v.addf(path+".tokenLimit", "is %q, want one of %s", o.TokenLimit, strings.Join(config.TokenLimits, ", "))
	}
}

func (v *validator) apis(path string, apis []string) {
	for i, api := range apis {
		switch {
		case !slices.Contains(config.APIs, api):
			v.addf(config.Item(path, i), "%q is not an API, want one of %s", api, strings.Join(config.APIs, ", "))
		case slices.Contains(apis[:i], api):
			v.addf(config.Item(path, i), "%q is there twice, want it once", api)
		}
	}
}

func (v *validator) endpoint(path, raw string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		v.addf(path, "is not a URL; want for example http://model.team.svc:8000/v1")
	case u.Scheme != "http" && u.Scheme != "https":
		v.addf(path, "has the scheme %q, want http or https", u.Scheme)
	case u.Hostname() == "":
		v.addf(path, "%q has no host, want for example http://model.team.svc:8000/v1", raw)
	case u.User != nil:
		v.addf(path, "contains user information, want a URL without it: put credentials into auth")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.addf(path, "has a query or fragment; want a base URL, to which paths are appended")
	}
}

func (v *validator) timeouts(path string, u *config.Upstream) {
	t := &u.Timeouts
	v.positive(path+".connect", t.Connect)
	v.positive(path+".firstToken", t.FirstToken)
	v.positive(path+".idle", t.Idle)
	v.positive(path+".total", t.Total)
	longest, others := t.Total, "total"
	if u.OpenAI != nil && t.FirstToken > t.Total {
		longest, others = t.FirstToken, "firstToken"
	}
	switch {
	case t.Header < 0:
		v.positive(path+".header", t.Header)
	case t.Header > 0 && t.Header >= longest:
		v.addf(path+".header", "is %s, want less than %s, %s, which ends the wait in any case", t.Header.Std(), others, longest.Std())
	}
}

// prices checks that what a model's tokens cost are numbers.
func (v *validator) prices(path string, u *config.Upstream) {
	p := u.Prices
	switch {
	case p == nil:
		return
	case u.HTTP != nil:
		v.addf(path, "is not allowed for an HTTP service, which has no tokens")
	case *p == config.Prices{}:
		v.addf(path, "is empty, want input, output or both")
	}
	for _, price := range []struct{ name, text string }{
		{"input", p.Input}, {"output", p.Output}, {"cachedInput", p.CachedInput}, {"reasoning", p.Reasoning},
	} {
		if _, err := config.Price(price.text, ""); err != nil {
			v.addf(path+"."+price.name, "%v", err)
		}
	}
}

func (v *validator) positive(path string, d config.Duration) {
	if d <= 0 {
		v.addf(path, "is %s, want more than 0s", d.Std())
	}
}

// keepAlive checks the silence after which a comment is sent; 0 is none.
func (v *validator) keepAlive(path string, d config.Duration) {
	if d != 0 && d.Std() < config.MinKeepAlive {
		v.addf(path, "is %s, want at least %s", d.Std(), config.MinKeepAlive)
	}
}

// modelUpstream checks the name of an upstream that is asked for completions or embeddings.
func (v *validator) modelUpstream(path, name string) {
	switch u := v.upstreams[name]; {
	case u == nil:
		v.addf(path, "there is no upstream %q, %s", name, wantOneOf(slices.Sorted(maps.Keys(v.upstreams))))
	case u.OpenAI == nil:
		v.addf(path, "the upstream %q is a plain HTTP service, want one with a model", name)
	}
}

// apiUpstream checks the name of an upstream whose model is asked at one of its APIs, of which any will do.
func (v *validator) apiUpstream(path, name string, apis ...string) {
	v.modelUpstream(path, name)
	if u := v.upstreams[name]; u != nil && u.OpenAI != nil && !slices.ContainsFunc(apis, u.OpenAI.Has) {
		v.addf(path, "the upstream %q does not have %s among its openAI.apis, want one that has", name, strings.Join(apis, " or "))
	}
}

// completing checks the name of an upstream that is asked for completions, and embedding that of one that is asked for vectors.
func (v *validator) completing(path, name string) {
	v.apiUpstream(path, name, config.APIChatCompletions, config.APIResponses)
}

func (v *validator) embedding(path, name string) { v.apiUpstream(path, name, config.APIEmbeddings) }

// httpUpstream checks the name of an upstream that http steps call.
func (v *validator) httpUpstream(path, name string) {
	switch u := v.upstreams[name]; {
	case u == nil:
		v.addf(path, "there is no upstream %q, %s", name, wantOneOf(slices.Sorted(maps.Keys(v.upstreams))))
	case u.HTTP == nil:
		v.addf(path, "the upstream %q has a model, want a plain HTTP service", name)
	}
}
