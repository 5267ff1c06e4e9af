package config

import "github.com/go-json-experiment/json/jsontext"

// Methods are those that a route, and an http step, may have.
var Methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// Reserved paths belong to the gateway itself, with everything below them.
var Reserved = []string{"/v1", "/docs", "/redoc", "/openapi.json"}

// Operations are the operationIds of the gateway's own endpoints, in the OpenAPI document.
var Operations = []string{
	"createChatCompletion", "createCompletion", "createEmbedding", "createResponse", "listModels", "retrieveModel",
}

// Route is one typed endpoint of the service.
type Route struct {
	// Path may have segments such as {id}, each the place of a parameter.
	Path    string `json:"path"`
	Method  string `json:"method"`
	Summary string `json:"summary,omitempty"`
	// Description, Tags, OperationID and Deprecated are for the OpenAPI document, as Summary is. No OperationID is one of the method
	// and the path.
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	OperationID string   `json:"operationID,omitempty"`
	Deprecated  bool     `json:"deprecated,omitzero"`
	// Timeout bounds a whole answer, and a streamed one until its first content event.
	Timeout Duration `json:"timeout"`
	// MaxStreamDuration bounds a stream as a whole, from the request on; 0 leaves that to the gateway, whose own bound holds for
	// all streams.
	MaxStreamDuration Duration `json:"maxStreamDuration,omitzero"`
	Budget            Budget   `json:"budget"`
	Request           *Request `json:"request,omitzero"`
	// Dependencies run in order, before Steps.
	Dependencies []Dependency `json:"dependencies,omitempty"`
	Steps        []Step       `json:"steps,omitempty"`
	Response     *Response    `json:"response"`
}

// Dependency is the call of a function before a route's steps. The function may refuse the request.
type Dependency struct {
	// Name is what templates call its value.
	Name string `json:"name"`
	Call
}

// ServiceDependency is a dependency of all routes.
type ServiceDependency struct {
	Dependency
	// Parameters are read from each request, in addition to those of its route. None is in the path.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// step calls the function.
func (d *Dependency) step() Step { return Step{Name: d.Name, Action: Action{Call: &d.Call}} }

// Depends are the dependencies as steps that call their functions.
func (r *Route) Depends() []Step {
	steps := make([]Step, len(r.Dependencies))
	for i := range r.Dependencies {
		steps[i] = r.Dependencies[i].step()
	}
	return steps
}

// Depends are the dependencies of all routes, as steps that call their functions.
func (c *Config) Depends() []Step {
	steps := make([]Step, len(c.Dependencies))
	for i := range c.Dependencies {
		steps[i] = c.Dependencies[i].step()
	}
	return steps
}

// Streams reports whether the answer is a stream.
func (r *Route) Streams() bool {
	return r.Response != nil && (r.Response.Stream != "" || r.Response.Events != nil)
}

// Budget bounds everything that one request does, in all its steps, branches, tools and repairs together.
type Budget struct {
	// MaxCalls counts calls of upstreams, retries included.
	MaxCalls int `json:"maxCalls"`
	// MaxTokens counts prompt and completion tokens as the upstreams report them; 0 means unlimited.
	MaxTokens int `json:"maxTokens,omitzero"`
	// MaxBytes counts the bytes of the upstreams' answers that are kept.
	MaxBytes int `json:"maxBytes"`
}

// Request describes what a route accepts.
type Request struct {
	Parameters []Parameter `json:"parameters,omitempty"`
	// Schema is a JSON Schema 2020-12 document for the body. The defaults that it names are filled in.
	Schema jsontext.Value `json:"schema,omitzero"`
	// AssertFormats makes the schemas' format keywords rules; otherwise they are annotations.
	AssertFormats bool `json:"assertFormats,omitzero"`
	// EchoInput repeats in a 422 what the client sent, as FastAPI does.
	EchoInput bool `json:"echoInput,omitzero"`
	// AllowAnyContentType reads a body with any Content-Type, or none, as JSON.
	AllowAnyContentType bool `json:"allowAnyContentType,omitzero"`
	// Form makes the body a form, whose fields Schema describes.
	Form *Form `json:"form,omitzero"`
}

// IsForm reports whether the body is a form, and not JSON.
func (r *Request) IsForm() bool { return r != nil && r.Form != nil }

// Form describes what a form has in addition to its texts.
type Form struct {
	Files []FormFile `json:"files,omitempty"`
}

// FormFile is a file, or a list of files, that is uploaded with a form.
type FormFile struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitzero"`
	// Encoding says how templates see the content.
	Encoding string `json:"encoding,omitempty"`
	// MaxBytes bounds each file; 0 leaves that to the bound of the body.
	MaxBytes int `json:"maxBytes,omitzero"`
	// MaxItems bounds a list of files; 0 means one file instead of a list.
	MaxItems int `json:"maxItems,omitzero"`
}

// Member is the name of the content, as templates see the file.
func (f *FormFile) Member() string {
	if f.Encoding == FileBase64 {
		return "base64"
	}
	return "text"
}

// The encodings of files.
const (
	FileText   = "Text"
	FileBase64 = "Base64"
)

// The places of a parameter.
const (
	InPath   = "Path"
	InQuery  = "Query"
	InHeader = "Header"
	InCookie = "Cookie"
)

// Parameter is one value that a request has outside of its body.
type Parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description,omitempty"`
	// Required is implied for a path's parameters.
	Required bool `json:"required,omitzero"`
	// Schema determines how the text is read; if it is absent, the parameter is a string.
	Schema jsontext.Value `json:"schema,omitzero"`
}

// FormatOpenAI is the format of a streamed answer that names none. The others are those of runtime/format.
const FormatOpenAI = "OpenAI"

// The moments at which a streamed answer begins.
const (
	CommitImmediately     = "Immediately"
	CommitAfterValidation = "AfterValidation"
)

// What is done with members of an answer that its schema does not name.
const (
	UnknownMembersDrop = "Drop"
	UnknownMembersKeep = "Keep"
)

// Response is the answer of a route: Stream, or Events with or without Body, or Body, or a Location or a status without one.
type Response struct {
	// Stream names the step whose tokens are the answer.
	Stream string `json:"stream,omitempty"`
	// Format is the format of Stream's events.
	Format string `json:"format,omitempty"`
	// Body is a JSON document whose strings are templates.
	Body jsontext.Value `json:"body,omitzero"`
	// Events makes the answer a stream of named events, of which Body is the last.
	Events *Events `json:"events,omitzero"`
	// Status is that of a whole answer; see StatusCode.
	Status int `json:"status,omitzero"`
	Head
	// Schema is what Body, or Stream's text, has to satisfy.
	Schema jsontext.Value `json:"schema,omitzero"`
	// UnknownMembers says what is done with members of Body that Schema does not name; "" drops them.
	UnknownMembers string `json:"unknownMembers,omitempty"`
	// Commit says when Stream begins: with its first token, or once the whole of it satisfies Schema.
	Commit string `json:"commit,omitempty"`
	// KeepAlive is the silence after which a stream gets a comment; 0 sends none.
	KeepAlive Duration `json:"keepAlive,omitzero"`
}
