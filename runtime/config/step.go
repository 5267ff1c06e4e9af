package config

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Function is a reusable list of steps.
type Function struct {
	Name string `json:"name"`
	// Description is for models that may call the function.
	Description string `json:"description,omitempty"`
	// Input is the JSON Schema of what the function takes; absent, any object.
	Input jsontext.Value `json:"input,omitzero"`
	// Timeout bounds one call; 0 leaves it to the caller.
	Timeout Duration `json:"timeout,omitzero"`
	Steps   []Step   `json:"steps"`
	// Output is a JSON document whose strings are templates.
	Output jsontext.Value `json:"output,omitzero"`
	// Stream, in place of Output, names the last step, whose tokens and value are the function's.
	Stream string `json:"stream,omitempty"`
}

// Step is one piece of a route's or function's work. Exactly one kind is set.
type Step struct {
	Name string `json:"name"`
	// When is an expression; if it is false the step is skipped.
	When string `json:"when,omitempty"`
	// Timeout bounds the step; 0 leaves it to what is around.
	Timeout Duration `json:"timeout,omitzero"`
	OnError *OnError `json:"onError,omitzero"`
	Action
	Gather  *Gather  `json:"gather,omitzero"`
	ForEach *ForEach `json:"forEach,omitzero"`
	Set     *Set     `json:"set,omitzero"`
	Respond *Respond `json:"respond,omitzero"`
}

// Action is a call: the kinds that a step, a gather's branch and a forEach may have alike. At most one is set.
type Action struct {
	Chat       *Chat       `json:"chat,omitzero"`
	Embeddings *Embeddings `json:"embeddings,omitzero"`
	HTTP       *HTTPCall   `json:"http,omitzero"`
	Call       *Call       `json:"call,omitzero"`
	Agent      *Agent      `json:"agent,omitzero"`
}

// Candidates are the upstreams that may be asked.
func (c *Chat) Candidates() []string { return candidates(c.Upstream, c.Upstreams) }

// Candidates are the upstreams that may be asked.
func (e *Embeddings) Candidates() []string { return candidates(e.Upstream, e.Upstreams) }

// Candidates are the upstreams that may be called.
func (h *HTTPCall) Candidates() []string { return candidates(h.Upstream, h.Upstreams) }

// Candidates are the upstreams that may be asked.
func (a *Agent) Candidates() []string { return candidates(a.Upstream, a.Upstreams) }

func candidates(only string, several []string) []string {
	if len(several) > 0 {
		return several
	}
	return []string{only}
}

// Completes reports whether the action's value is a model's text, so that it has tokens: it asks a model, or calls a function that
// streams.
func (c *Config) Completes(a *Action) bool {
	return a.Chat != nil || a.Agent != nil || a.Call != nil && c.Streaming(a.Call.Function) != nil
}

// Streaming is the function of a name, if that streams.
func (c *Config) Streaming(name string) *Function {
	i := slices.IndexFunc(c.Functions, func(f Function) bool { return f.Name == name })
	if i < 0 || c.Functions[i].Stream == "" {
		return nil
	}
	return &c.Functions[i]
}

// OnError says what happens if a step fails. Exactly one member is set.
type OnError struct {
	// Continue leaves the step's value missing.
	Continue *Continue `json:"continue,omitzero"`
	// Value is a JSON document whose strings are templates: the step's value instead.
	Value jsontext.Value `json:"value,omitzero"`
	// Respond ends the route with an answer.
	Respond *Respond `json:"respond,omitzero"`
}

// Continue has no settings.
type Continue struct{}

// Chat asks an upstream's model for a completion.
type Chat struct {
	Upstream string `json:"upstream"`
	// Upstreams are the names of which Upstream, an expression, returns one; none if it is a name itself.
	Upstreams []string  `json:"upstreams,omitempty"`
	Messages  []Message `json:"messages"`
	// Parameters are further members of the upstream's request, such as temperature; strings are templates.
	Parameters jsontext.Value `json:"parameters,omitzero"`
	Output     *Output        `json:"output,omitzero"`
}

// Message is one turn of a chat, or a list of turns. Exactly one of Role with Content, and History, is set.
type Message struct {
	Role string `json:"role,omitempty"`
	// Content is a template.
	Content string `json:"content,omitempty"`
	// History is an expression for a list of messages.
	History string `json:"history,omitempty"`
}

// What an upstream is asked for if an answer is to be JSON.
const (
	ResponseSchema     = "Schema"
	ResponseJSONObject = "JSONObject"
	ResponseNothing    = "Nothing"
)

// Output makes a model's answer a JSON value.
type Output struct {
	// Schema is what the value has to satisfy.
	Schema jsontext.Value `json:"schema"`
	// ResponseFormat says what the upstream is asked for; empty is Schema.
	ResponseFormat string `json:"responseFormat,omitempty"`
	// RepairAttempts is how often a model is sent its mistakes and asked again.
	RepairAttempts int `json:"repairAttempts,omitzero"`
}

// Embeddings asks an upstream's model for vectors.
type Embeddings struct {
	Upstream string `json:"upstream"`
	// Upstreams are the names of which Upstream, an expression, returns one; none if it is a name itself.
	Upstreams []string `json:"upstreams,omitempty"`
	// Input is a template: a text, or an expression for a list of texts.
	Input      string         `json:"input"`
	Parameters jsontext.Value `json:"parameters,omitzero"`
}

// HTTPCall makes one HTTP request. Templates stand in Path, Query, Headers and Body.
type HTTPCall struct {
	Upstream string `json:"upstream"`
	// Upstreams are the names of which Upstream, an expression, returns one; none if it is a name itself.
	Upstreams []string          `json:"upstreams,omitempty"`
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Query     map[string]string `json:"query,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Body      jsontext.Value    `json:"body,omitzero"`
	// AllowStatus are statuses other than 2xx that do not count as failures.
	AllowStatus []int `json:"allowStatus,omitempty"`
}

// Once says that the request is not repeated: it might do something twice (RFC 9110, section 9.2.2).
func (h *HTTPCall) Once() bool { return h.Method == http.MethodPost || h.Method == http.MethodPatch }

// Call calls a function.
type Call struct {
	Function string `json:"function"`
	// Input is a JSON document whose strings are templates; absent, an empty object.
	Input jsontext.Value `json:"input,omitzero"`
}

// Agent lets a model call functions until it has an answer.
type Agent struct {
	Upstream string `json:"upstream"`
	// Upstreams are the names of which Upstream, an expression, returns one; none if it is a name itself.
	Upstreams []string  `json:"upstreams,omitempty"`
	Messages  []Message `json:"messages"`
	// Tools names functions.
	Tools []string `json:"tools"`
	// MaxTurns bounds how often the model is asked.
	MaxTurns int `json:"maxTurns"`
	// MaxParallel bounds the tools that run at once.
	MaxParallel int            `json:"maxParallel"`
	Parameters  jsontext.Value `json:"parameters,omitzero"`
	Output      *Output        `json:"output,omitzero"`
}

// ForEach makes one call for each item of a list.
type ForEach struct {
	// Items is an expression for a list.
	Items string `json:"items"`
	// MaxItems bounds the list; a longer one is an error.
	MaxItems    int `json:"maxItems"`
	MaxParallel int `json:"maxParallel"`
	Do          Do  `json:"do"`
}

// Do is what a ForEach does with an item.
type Do struct {
	Timeout Duration `json:"timeout,omitzero"`
	OnError *OnError `json:"onError,omitzero"`
	Action
}

// Set names a value.
type Set struct {
	// Value is a JSON document whose strings are templates.
	Value jsontext.Value `json:"value"`
}

// Respond ends a route with an answer.
type Respond struct {
	Status int `json:"status"`
	// Body is a JSON document whose strings are templates.
	Body jsontext.Value `json:"body,omitzero"`
	Head
}
