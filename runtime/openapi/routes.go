package openapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
)

func (d *document) addRoutes(routes []config.Route) error {
	if len(routes) == 0 {
		return nil
	}
	if err := d.include(routesPart); err != nil {
		return err
	}
	if err := d.addFailures("", "Error"); err != nil {
		return err
	}
	ids := map[string]bool{}
	for i := range routes {
		if err := d.addRoute(&routes[i], ids); err != nil {
			return fmt.Errorf("routes[%d] (%s %s): %w", i, routes[i].Method, routes[i].Path, err)
		}
	}
	return nil
}

func (d *document) addRoute(r *config.Route, ids map[string]bool) error {
	id := operationID(r, ids)
	ids[id] = true
	o := operation{OperationID: id, Summary: r.Summary}
	body, err := d.requestBody(r, id)
	if err != nil {
		return err
	}
	o.RequestBody = body
	o.Responses.add("200", success(r.Response))
	if body != nil {
		o.Responses.add("422", reference{"#/components/responses/ValidationFailed"})
	}
	for _, f := range failures {
		o.Responses.add(f.status, reference{"#/components/responses/" + f.name})
	}
	encoded, err := encode(o)
	if err != nil {
		return err
	}
	item := d.path(r.Path)
	item.add(strings.ToLower(r.Method), encoded)
	return nil
}

// path finds or adds a path. Escaped, no character of a literal path is taken for a parameter's brace.
func (d *document) path(literal string) *pathItem {
	escaped := (&url.URL{Path: literal}).EscapedPath()
	if item, ok := d.Paths.find(escaped); ok {
		return item
	}
	d.Paths.add(escaped, nil)
	item, _ := d.Paths.find(escaped)
	return item
}

// requestBody describes what the route reads: what its schema says, else any JSON where its method has a body by
// custom (RFC 9110, section 9.3).
func (d *document) requestBody(r *config.Route, id string) (*requestBody, error) {
	if r.Request != nil && len(r.Request.Schema) > 0 {
		name := id + "_request"
		schema, err := embedSchema(r.Request.Schema, jsontext.Pointer("/components/schemas/"+name))
		if err != nil {
			return nil, err
		}
		d.Components.Schemas.add(name, schema)
		return &requestBody{Required: true, Content: content(jsonType, schemaRef(name))}, nil
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, r.Method) {
		return &requestBody{Content: content(jsonType, anyJSON)}, nil
	}
	return nil, nil //nolint:nilnil // a route may have no body
}

// anyJSON is the schema that everything satisfies.
var anyJSON = struct{}{}

func success(r *config.Response) response {
	if r.Stream != "" {
		return response{Description: "The answer, as it comes.", Content: content(eventsType, schemaRef("EventStream"))}
	}
	return response{Description: "The answer.", Content: content(jsonType, anyJSON)}
}

// operationID makes a name that programs can use: post_v2_answer for POST /v2/answer, and a number after it where
// two paths come to the same.
func operationID(r *config.Route, taken map[string]bool) string {
	path := strings.Map(func(c rune) rune {
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
