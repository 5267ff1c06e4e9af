package openapi

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/schema"
)

// operation is an Operation Object (OpenAPI 3.1.0, section 4.8.10).
type operation struct {
	Tags        []string     `json:"tags,omitempty"`
	OperationID string       `json:"operationId"`
	Summary     string       `json:"summary,omitempty"`
	Description string       `json:"description,omitempty"`
	Deprecated  bool         `json:"deprecated,omitzero"`
	Parameters  []parameter  `json:"parameters,omitempty"`
	RequestBody *requestBody `json:"requestBody,omitempty"`
	Responses   members[any] `json:"responses"`
}

type requestBody struct {
	Required bool               `json:"required,omitzero"`
	Content  members[mediaType] `json:"content"`
}

type response struct {
	Description string             `json:"description"`
	Headers     members[any]       `json:"headers,omitempty"`
	Content     members[mediaType] `json:"content,omitempty"`
}

// header is a Header Object (OpenAPI 3.1.0, section 4.8.21).
type header struct {
	Schema any `json:"schema"`
}

type mediaType struct {
	Schema  any            `json:"schema"`
	Example jsontext.Value `json:"example,omitempty"`
}

type reference struct {
	Ref string `json:"$ref"`
}

const jsonType, eventsType = "application/json", "text/event-stream"

func schemaRef(name string) reference { return reference{"#" + string(schemaPointer(name))} }

// anyOf is the schema that is satisfied by what satisfies one of several.
type anyOf struct {
	AnyOf []any `json:"anyOf"`
}

func schemaPointer(name string) jsontext.Pointer {
	return jsontext.Pointer("/components/schemas/" + name)
}

func content(media string, schema any) members[mediaType] {
	return members[mediaType]{{media, mediaType{Schema: schema}}}
}

// withExample is the content of a media type with an example of what it has, if one is found.
func withExample(media string, ref any, s *schema.Schema) members[mediaType] {
	c := content(media, ref)
	c[0].value.Example = usable(s.Example())
	return c
}

// usable is an example that was found. One with a member $ref is left out: many tools take it for a reference.
func usable(example jsontext.Value, ok bool) jsontext.Value {
	if !ok || bytes.Contains(example, []byte(`"$ref"`)) {
		return nil
	}
	return example
}

// failure is a response that routes and models have alike, each in a form of its own.
type failure struct {
	status, name, description string
	example                   *problem.Error
	retryAfter                bool
	upstream                  bool // only where upstreams are called
}

var failures = []failure{
	{
		status: "429", name: "TooManyRequests", retryAfter: true, example: problem.New(problem.Overloaded),
		description: "The service, or its upstream, is at its limit.",
	},
	{
		status: "502", name: "BadGateway", upstream: true, example: problem.New(problem.UpstreamUnreachable),
		description: "The upstream could not be reached, or its answer cannot be used.",
	},
	{
		status: "503", name: "Unavailable", retryAfter: true, upstream: true, example: problem.New(problem.UpstreamUnavailable),
		description: "The service cannot answer now.",
	},
	{
		status: "504", name: "GatewayTimeout", upstream: true, example: problem.New(problem.UpstreamTimeout),
		description: "The answer took longer than the service or the upstream allows.",
	},
	{status: "default", name: "Failed", description: "Any other failure.", example: problem.New(problem.Internal)},
}

// missing is the most usual violation.
var missing = problem.Invalid([]problem.Violation{{Type: "missing", Loc: []any{"body", "question"}, Msg: "Field required"}})

// What a route may say of a request.
var (
	invalid = failure{
		status: "422", name: "ValidationFailed", example: missing,
		description: "The request does not match the route's schemas; each violation is listed.",
	}
	invalidOrRejected = failure{
		status: "422", name: "ValidationFailedOrRejected", example: missing,
		description: "The request does not match the route's schemas, and each violation is listed; " +
			"or an upstream refused it, and the detail is a sentence.",
	}
)

// response has an example in the format.
func (f failure) response(schema any, format problem.ErrorFormat) response {
	r := response{Description: f.description, Content: content(jsonType, schema)}
	r.Content[0].value.Example = format.Reply(f.example).Body
	if f.retryAfter {
		r.Headers.add("Retry-After", reference{"#/components/headers/RetryAfter"})
	}
	return r
}

// addFailure defines a failure, with the prefix before its name.
func (d *document) addFailure(prefix string, f failure, schema any, format problem.ErrorFormat) error {
	encoded, err := encode(f.response(schema, format))
	if err != nil {
		return err
	}
	d.Components.Responses.add(prefix+f.name, encoded)
	return nil
}
