package exchange

import (
	"context"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/route"
)

// Unmatched labels in metrics what no route serves, and what is refused before a route sees it: a client's path would be
// a label without bounds.
const Unmatched = "unmatched"

// Route is what answers the requests of one path and method.
type Route struct {
	Method string
	// Path is its template. It labels the route in metrics and logs: the config bounds it, and no client.
	Path string
	// Format is how the route's clients expect errors, wherever an error comes from.
	Format problem.ErrorFormat
	Decide func(ctx context.Context, r *relay.Request) relay.Verdict
}

// Always is a Decide that has one answer.
func Always(reply *relay.Reply) func(context.Context, *relay.Request) relay.Verdict {
	return func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Reply: reply} }
}

// Serving is a config, compiled. It is immutable: a request ends on the one that it began with.
type Serving struct {
	// Revision is the config's.
	Revision string
	// LogAll has each request logged, and not only those that fail.
	LogAll bool
	// BodyLimit is of a request, in bytes.
	BodyLimit int64
	// Gates are passed in this order by each request that has a route. The last gate of all is the replica's own limit.
	Gates []Gate
	// Find finds the route of a request, by its head.
	Find func(h *relay.Head) Found
}

// Found is the result of the search for a route.
type Found struct {
	Route *Route
	// Params are the decoded values of the path's parameters by name.
	Params map[string]string
	// Wrong is why the request cannot be served, nil if it can: then Route is of use for its Format alone.
	Wrong *problem.Error
}

// Table finds routes by method and path.
type Table struct{ routes route.Table[*Route] }

// Add adds a route. The error is route.Table's.
func (t *Table) Add(r *Route) error { return t.routes.Add(r.Method, r.Path, r) }

// AddRest sets the format in which clients learn that no route serves a path below a prefix. The longest prefix
// counts. The error is route.Table's.
func (t *Table) AddRest(prefix string, format problem.ErrorFormat) error {
	return t.routes.AddRest(prefix, &Route{Path: Unmatched, Format: format})
}

// Find finds the route of a request, by its head.
func (t *Table) Find(h *relay.Head) Found {
	found, params, wrong := t.routes.Match(h.Method, h.EscapedPath)
	return Found{Route: found, Params: params, Wrong: wrong}
}
