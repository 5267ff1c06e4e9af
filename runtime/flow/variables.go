package flow

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

// variables are what the route's templates can read. What is wrong with the request comes back as a problem.
func (r *Route) variables(ctx context.Context, req *relay.Request) (map[string]any, *problem.Error) {
	body, wrong := r.body(ctx, req)
	if wrong != nil {
		return nil, wrong
	}
	return map[string]any{"request": map[string]any{
		"method": req.Method, "path": req.Path, "headers": headers(req.Header), "body": body,
	}}, nil
}

func (r *Route) body(ctx context.Context, req *relay.Request) (any, *problem.Error) {
	if r.schema == nil && len(req.Body) == 0 {
		return nil, nil
	}
	if len(req.Body) > 0 && !isJSON(req.Header.Get("Content-Type")) {
		return nil, problem.WrongMediaType("application/json")
	}
	release, err := r.env.Heavy(ctx, len(req.Body))
	if err != nil {
		return nil, problem.New(problem.Internal).WithCause(err)
	}
	defer release()
	check := schema.Decode
	if r.schema != nil {
		check = r.schema.Check
	}
	body, violations := check(req.Body)
	if len(violations) > 0 {
		return nil, problem.Invalid(violations)
	}
	return body, nil
}

// isJSON accepts application/json and the +json suffix of RFC 6839; a client that names no type is believed.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// Credentials of this service are not for its upstreams.
var withheld = map[string]bool{"Authorization": true, "Cookie": true, "Proxy-Authorization": true, "X-Api-Key": true}

func headers(h http.Header) map[string]any {
	m := make(map[string]any, len(h))
	for name, values := range h {
		if len(values) > 0 && !withheld[name] {
			m[strings.ToLower(name)] = values[0]
		}
	}
	return m
}
