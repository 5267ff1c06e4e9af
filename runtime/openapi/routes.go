package openapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/form"
	"github.com/llmservice/llmservice/runtime/problem"
)

func (d *document) addRoutes(routes []*program.Route) error {
	if len(routes) == 0 {
		return nil
	}
	if err := d.include(routesPart); err != nil {
		return err
	}
	for _, f := range append([]failure{invalid, invalidOrRejected}, failures...) {
		if err := d.addFailure("", f, formOf(f), problem.FastAPI); err != nil {
			return err
		}
	}
	ids := map[string]bool{}
	for _, r := range routes {
		ids[r.OperationID] = true // before those that are made
	}
	for i, r := range routes {
		if err := d.addRoute(r, ids); err != nil {
			return fmt.Errorf("routes[%d] (%s %s): %w", i, r.Method, r.Path, err)
		}
	}
	return nil
}

// formOf is the schema of a route's failure.
func formOf(f failure) any {
	violations, sentence := schemaRef("HTTPValidationError"), schemaRef("Error")
	switch f {
	case invalid:
		return violations
	case invalidOrRejected:
		return anyOf{[]any{violations, sentence}}
	}
	return sentence
}

func (d *document) addRoute(r *program.Route, ids map[string]bool) error {
	id := r.OperationID
	if id == "" {
		id = operationID(r.Route, ids)
		ids[id] = true
	}
	o := operation{Tags: r.Tags, OperationID: id, Summary: r.Summary, Description: r.Description, Deprecated: r.Deprecated}
	var err error
	if o.Parameters, err = d.parameters(r, id); err != nil {
		return err
	}
	if o.RequestBody, err = d.requestBody(r, id); err != nil {
		return err
	}
	if err := d.answers(r, &o); err != nil {
		return err
	}
	encoded, err := encode(o)
	if err != nil {
		return err
	}
	item := d.path(r.Path)
	item.add(strings.ToLower(r.Method), encoded)
	return nil
}

// path finds or adds a path. Escaped, no character of a literal segment is taken for a parameter's brace.
func (d *document) path(template string) *pathItem {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if !isParameter(s) {
			segments[i] = (&url.URL{Path: "/" + s}).EscapedPath()[1:]
		}
	}
	escaped := strings.Join(segments, "/")
	if item, ok := d.Paths.find(escaped); ok {
		return item
	}
	d.Paths.add(escaped, nil)
	item, _ := d.Paths.find(escaped)
	return item
}

func isParameter(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

// requestBody describes what the route reads: what its schema says, else any JSON where its method has a body by
// custom (RFC 9110, section 9.3).
func (d *document) requestBody(r *program.Route, id string) (*requestBody, error) {
	if r.Body != nil {
		name := id + "_request"
		return &requestBody{Required: true, Content: bodyContent(r, schemaRef(name))}, d.define(name, r.Body, true)
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, r.Method) {
		return &requestBody{Content: content(jsonType, anyJSON)}, nil
	}
	return nil, nil //nolint:nilnil // a route may have no body
}

// bodyContent has an example of what the body has. The content of a file is a text there.
func bodyContent(r *program.Route, ref reference) members[mediaType] {
	if r.Fields == nil {
		return withExample(jsonType, ref, r.Body)
	}
	sizes := map[string]int{}
	for i := range r.Request.Form.Files {
		f := &r.Request.Form.Files[i]
		sizes[f.Name] = f.MaxBytes
	}
	c := content(bodyType(r), ref)
	c[0].value.Example = usable(r.Fields.Example(sizes))
	return c
}

// bodyType is the media type of a body. Of a form it is one that can hold all of it, as in FastAPI; any of the two is read.
func bodyType(r *program.Route) string {
	switch {
	case r.Fields == nil:
		return jsonType
	case len(r.Request.Form.Files) > 0:
		return form.Multipart
	}
	return form.URLEncoded
}

// anyJSON is the schema that everything satisfies.
var anyJSON = struct{}{}

// operationID makes a name that programs can use: post_v2_answer for POST /v2/answer, get_items_id for GET /items/{id},
// and a number after it where two paths come to the same.
func operationID(r *config.Route, taken map[string]bool) string {
	path := strings.Map(func(c rune) rune {
		if c == '{' || c == '}' {
			return -1
		}
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.Trim(r.Path, "/"))
	if path == "" {
		path = "root"
	}
	plain := strings.ToLower(r.Method) + "_" + path
	id := plain
	for n := 2; taken[id]; n++ {
		id = plain + "_" + strconv.Itoa(n)
	}
	return id
}
