package front

import (
	"context"
	"net/http"
	"strings"

	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// listed are the routes that list the models. A name with slashes has a route of its own: some clients send the slashes as they
// are, and a path parameter is one segment.
func (e *Endpoints) listed() ([]*exchange.Route, error) {
	names := make([]string, len(e.Models))
	described := make(map[string]*relay.Reply, len(e.Models))
	var routes []*exchange.Route
	path := e.Front.ModelsPath()
	for i := range e.Models {
		name := e.Models[i].Name
		one, err := e.Front.WriteModel(name)
		if err != nil {
			return nil, err //nolint:wrapcheck // it names what cannot be written
		}
		names[i], described[name] = name, relay.JSON(one)
		if strings.Contains(name, "/") {
			routes = append(routes, e.route(http.MethodGet, path+"/"+name, exchange.Always(described[name])))
		}
	}
	list, err := e.Front.WriteModels(names)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	return append(routes,
		e.route(http.MethodGet, path, exchange.Always(relay.JSON(list))),
		e.route(http.MethodGet, path+"/{model}", e.describe(described)),
	), nil
}

// describe answers with the model in the path.
func (e *Endpoints) describe(described map[string]*relay.Reply) func(context.Context, *relay.Request) relay.Verdict {
	return func(_ context.Context, r *relay.Request) relay.Verdict {
		name := r.Params["model"]
		if reply, ok := described[name]; ok {
			return relay.Verdict{Reply: reply}
		}
		return relay.Verdict{Reply: relay.Problem(e.Front.Errors(), problem.NoModel(name))}
	}
}
