package program

import (
	"context"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// HashKey makes of a request the text that says where its calls of an upstream go: those of equal texts to one endpoint.
type HashKey struct {
	template *expr.Template
	// Reads are the members of the request that it reads: the body has to be decoded only for a key that reads it.
	Reads Reads
}

// Of is the text for a request as templates of routes see it, without the body if that is not read. The errors are those of
// expr.Template.Text.
func (k *HashKey) Of(ctx context.Context, request any, b *expr.CostBudget) (string, error) {
	return k.template.Text(ctx, map[string]any{"request": request, "steps": map[string]any{}}, b) //nolint:wrapcheck // it says so
}

// anyRequest is what the templates of an upstream see of a request, whichever route or endpoint it is for.
var anyRequest = requestType(expr.Map(expr.Dyn), expr.Dyn)

// The bounds of ConsistentHash.LoadPercent.
const (
	minLoadPercent = 100
	maxLoadPercent = 1000
)

// consistentHash checks how calls are spread by keys, and compiles what makes these.
func (v *validator) consistentHash(path string, u *config.Upstream) {
	h := u.ConsistentHash
	switch byKeys := u.LoadBalancing == config.ConsistentHash; {
	case byKeys && h == nil:
		v.addf(path, "is required, because loadBalancing is ConsistentHash")
	case !byKeys && h != nil:
		v.addf(path, "is not allowed, because loadBalancing is not ConsistentHash")
	}
	if h == nil {
		return
	}
	if h.LoadPercent != 0 {
		v.between(path+".loadPercent", h.LoadPercent, minLoadPercent, maxLoadPercent)
	}
	key := v.text(path+".key", h.Key, &place{vars: expr.Vars{"request": anyRequest}})
	if key == nil {
		return
	}
	if _, constant := key.Constant(v.known.constants); constant || h.Key == "" {
		v.addf(path+".key", "is the same for every request, want an expression over request")
		return
	}
	made := &HashKey{template: key}
	key.EachRead(func(path expr.Path) { made.Reads.ofVariable("request", path) })
	v.hashKeys[u.Name] = made
}

// keyed adds to what routes read of requests what keys read: which upstreams a route calls is known only when it does.
func keyed(routes []*Route, keys map[string]*HashKey) {
	for _, r := range routes {
		for _, k := range keys {
			r.Reads.add(&k.Reads)
		}
	}
}
