package openapi

import "github.com/go-json-experiment/json/jsontext"

// operation is an Operation Object (OpenAPI 3.1.0, section 4.8.10).
type operation struct {
	OperationID string       `json:"operationId"`
	Summary     string       `json:"summary,omitempty"`
	RequestBody *requestBody `json:"requestBody,omitempty"`
	Responses   members[any] `json:"responses"`
}

type requestBody struct {
	Required bool               `json:"required,omitzero"`
	Content  members[mediaType] `json:"content"`
}

type response struct {
	Description string             `json:"description"`
	Headers     members[reference] `json:"headers,omitempty"`
	Content     members[mediaType] `json:"content"`
}

type mediaType struct {
	Schema  any            `json:"schema"`
	Example jsontext.Value `json:"example,omitempty"`
}

type reference struct {
	Ref string `json:"$ref"`
}

const jsonType, eventsType = "application/json", "text/event-stream"

func schemaRef(name string) reference { return reference{"#/components/schemas/" + name} }

func content(media string, schema any) members[mediaType] {
	return members[mediaType]{{media, mediaType{Schema: schema}}}
}

// failure is a response that routes and models have alike, each in a form of its own.
type failure struct {
	status, name, description string
	retryAfter                bool
}

var failures = []failure{
	{"429", "TooManyRequests", "The service, or its upstream, is at its limit.", true},
	{"502", "BadGateway", "The upstream could not be reached, or its answer cannot be used.", false},
	{"503", "Unavailable", "The service cannot answer now.", true},
	{"504", "GatewayTimeout", "The answer took longer than the service or the upstream allows.", false},
	{"default", "Failed", "Any other failure.", false},
}

// addFailures defines the failures, with the prefix before their names, in the form of the named schema.
func (d *document) addFailures(prefix, schema string) error {
	for _, f := range failures {
		r := response{Description: f.description, Content: content(jsonType, schemaRef(schema))}
		if f.retryAfter {
			r.Headers.add("Retry-After", reference{"#/components/headers/RetryAfter"})
		}
		encoded, err := encode(r)
		if err != nil {
			return err
		}
		d.Components.Responses.add(prefix+f.name, encoded)
	}
	return nil
}
