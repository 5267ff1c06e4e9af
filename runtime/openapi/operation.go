package openapi

import "github.com/go-json-experiment/json/jsontext"

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

// failure is a response that routes and models have alike, each in a form of its own.
type failure struct {
	status, name, description string
	retryAfter                bool
	upstream                  bool // only where upstreams are called
}

var failures = []failure{
	{status: "429", name: "TooManyRequests", description: "The service, or its upstream, is at its limit.", retryAfter: true},
	{
		status: "502", name: "BadGateway", upstream: true,
		description: "The upstream could not be reached, or its answer cannot be used.",
	},
	{status: "503", name: "Unavailable", description: "The service cannot answer now.", retryAfter: true, upstream: true},
	{
		status: "504", name: "GatewayTimeout", upstream: true,
		description: "The answer took longer than the service or the upstream allows.",
	},
	{status: "default", name: "Failed", description: "Any other failure."},
}

// What a route may say of a request.
var (
	invalid = failure{
		status: "422", name: "ValidationFailed",
		description: "The request does not match the route's schemas; each violation is listed.",
	}
	invalidOrRejected = failure{
		status: "422", name: "ValidationFailedOrRejected",
		description: "The request does not match the route's schemas, and each violation is listed; " +
			"or an upstream refused it, and the detail is a sentence.",
	}
)

func (f failure) response(schema any) response {
	r := response{Description: f.description, Content: content(jsonType, schema)}
	if f.retryAfter {
		r.Headers.add("Retry-After", reference{"#/components/headers/RetryAfter"})
	}
	return r
}

// addFailure defines a failure, with the prefix before its name.
func (d *document) addFailure(prefix string, f failure, schema any) error {
	encoded, err := encode(f.response(schema))
	if err != nil {
		return err
	}
	d.Components.Responses.add(prefix+f.name, encoded)
	return nil
}
