package flow

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/form"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

// input reads a route's requests.
type input struct {
	parameters []*program.Parameter // those of the service's dependencies, then the route's; of each in the order of places
	schema     *schema.Schema       // nil accepts any JSON
	anyType    bool                 // the body is JSON no matter its media type
	fields     *schema.Form         // nil for JSON
	files      []config.FormFile
	reads      *program.Reads // the members of the request that templates read
}

// places are in the order in which FastAPI looks at them, which is the order of the violations.
var places = []string{config.InPath, config.InQuery, config.InHeader, config.InCookie}

func newInput(r *program.Route) input {
	compiled := input{reads: &r.Reads, schema: r.Body, anyType: r.Request != nil && r.Request.AllowAnyContentType}
	if compiled.fields = r.Fields; r.Request.IsForm() {
		compiled.files = r.Request.Form.Files
	}
	for _, all := range append(slices.Clip(r.Shared), r.Parameters) {
		compiled.parameters = append(compiled.parameters, inOrder(all)...)
	}
	return compiled
}

// inOrder sorts parameters by their places.
func inOrder(all []*program.Parameter) []*program.Parameter {
	return slices.SortedStableFunc(slices.Values(all), func(a, b *program.Parameter) int {
		return slices.Index(places, a.In) - slices.Index(places, b.In)
	})
}

// read returns the values that the route's templates can read. All mistakes in the request come back as one problem.
func (in *input) read(ctx context.Context, env *Environment, req *relay.Request) (map[string]any, error) {
	params, violations, err := in.params(ctx, req)
	if err != nil {
		return nil, err
	}
	read := in.body
	if in.fields != nil {
		read = in.form
	}
	body, wrong, err := read(ctx, env, req)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 && wrong[0].Type == problem.TypeJSONInvalid {
		violations = nil // if the body is not JSON, FastAPI reports only that
	}
	if violations = append(violations, wrong...); len(violations) > 0 {
		return nil, problem.Invalid(violations)
	}
	return map[string]any{"request": env.seen(req, in.reads, params, body)}, nil
}

// seen is a request as templates see it. What has to be made for them is there only if one reads it.
func (e *Environment) seen(req *relay.Request, reads *program.Reads, params map[string]any, body any) map[string]any {
	seen := map[string]any{"params": params, "body": body}
	if reads.Member("method") {
		seen["method"] = req.Method
	}
	if reads.Member("path") {
		seen["path"] = req.Path
	}
	if reads.Member("url") {
		seen["url"] = e.url(req)
	}
	if reads.Member("headers") {
		seen["headers"] = headers(req.Header)
	}
	if reads.Member("client") {
		seen["client"] = e.client(req)
	}
	return seen
}

func (e *Environment) client(req *relay.Request) map[string]any {
	client := ""
	if address := e.TrustedProxies.Client(req.Peer, req.Header); address.IsValid() {
		client = address.String()
	}
	return map[string]any{"address": client}
}

// url is the whole URL of a request, with its path and query as they were sent.
func (e *Environment) url(req *relay.Request) string {
	url := e.TrustedProxies.Scheme(req.Peer, req.Header) + "://" + req.Host + req.EscapedPath
	if req.RawQuery != "" {
		url += "?" + req.RawQuery
	}
	return form.Valid(url)
}

func (in *input) params(ctx context.Context, req *relay.Request) (map[string]any, []problem.Violation, error) {
	if len(in.parameters) == 0 {
		return nil, nil, nil
	}
	work := schema.NewWorkBudget(ctx)
	params := map[string]any{}
	var violations []problem.Violation
	var query url.Values
	for _, p := range in.parameters {
		if query == nil && p.In == config.InQuery {
			query = form.ParseQuery(req.RawQuery)
		}
		value, wrong, err := p.Text.Parse(work, parameterValues(p, req, query))
		if err != nil {
			return nil, nil, err //nolint:wrapcheck // it is the reason why ctx has ended
		}
		violations = append(violations, wrong...)
		if value != nil || p.Text.HasDefault() {
			params[p.Name] = value
		}
	}
	return params, violations, nil
}

func parameterValues(p *program.Parameter, req *relay.Request, query url.Values) []string {
	switch p.In {
	case config.InPath:
		if value, ok := req.Params[p.Name]; ok {
			return []string{form.Valid(value)}
		}
		return nil
	case config.InQuery:
		return query[p.Name]
	case config.InCookie:
		return cookieValues(req.Header, p.Name)
	}
	values := slices.Clone(req.Header.Values(p.Name))
	for i := range values {
		values[i] = form.Valid(values[i])
	}
	return values
}

func (in *input) body(ctx context.Context, env *Environment, req *relay.Request) (any, []problem.Violation, error) {
	if in.schema == nil && (len(req.Body) == 0 || !hasContent(req.Method)) {
		return nil, nil, nil
	}
	if len(req.Body) > 0 && !in.anyType && !req.IsJSON() {
		return nil, nil, problem.WrongMediaType("application/json")
	}
	if err := admitDecoded(ctx, req); err != nil {
		return nil, nil, err
	}
	return check(ctx, env, len(req.Body), func() (any, []problem.Violation, error) {
		if in.schema != nil {
			return in.schema.Check(ctx, req.Body)
		}
		return schema.Decode(ctx, req.Body)
	})
}

// admitDecoded reserves the memory of the decoded body that was not reserved when it was read.
func admitDecoded(ctx context.Context, req *relay.Request) error {
	return admitBody(ctx, req, schema.DecodedBytes(req.Body), "The request body holds more values than this replica has memory for.")
}

// admitBody reserves what is made from a body, in bytes, apart from the copy that was reserved when it was read.
func admitBody(ctx context.Context, req *relay.Request, size int, beyond string) error {
	spare := relay.Held(req.Body) - cap(req.Body)
	err := req.Memory.Reserve(ctx, size-spare)
	switch relay.FailureKindOf(err) { //nolint:exhaustive // the others are not about the body
	case relay.FailedTooLarge, relay.FailedBudget: // nothing but the body is held yet
		return problem.New(problem.PayloadTooLarge).WithMessage(beyond)
	}
	return err //nolint:wrapcheck // it is a Failure already
}

// hasContent reports whether a body has a meaning even if no schema asks for one (RFC 9110, sections 9.3.1 and 9.3.5).
func hasContent(method string) bool { return method != http.MethodGet && method != http.MethodDelete }

// The credentials for this service are not for its upstreams.
var withheld = map[string]bool{"Authorization": true, "Cookie": true, "Proxy-Authorization": true, "X-Api-Key": true}

func headers(h http.Header) map[string]any {
	m := make(map[string]any, len(h))
	for name, values := range h {
		if len(values) > 0 && !withheld[name] {
			m[strings.ToLower(name)] = form.Valid(values[0])
		}
	}
	return m
}
