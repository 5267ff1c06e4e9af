// Package config is the contract between the operator, which writes it, and the gateway, which reads it.
//
// The document is JSON, versioned by Version. Its member names equal those of the LLMService spec, so that an
// error's path names the same field on both sides. Secrets are never in it, only the paths of files that the kubelet
// mounts.
//
// The packages below know this one, and it knows none of them: delivery is how the document reaches a gateway, report what the
// gateway says back, program compiles the document, and bounds is the worst case of a route.
package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Version is the contract that this build reads and writes. A document of another version is refused.
const Version = "v1"

// Config is one revision of what a gateway serves.
type Config struct {
	Version   string     `json:"version"`
	Service   Service    `json:"service"`
	Upstreams []Upstream `json:"upstreams,omitempty"`
	Models    []Model    `json:"models,omitempty"`
	Functions []Function `json:"functions,omitempty"`
	// Dependencies run in order before those of each route.
	Dependencies []ServiceDependency `json:"dependencies,omitempty"`
	Routes       []Route             `json:"routes,omitempty"`
	Runtime      Runtime             `json:"runtime"`
	OpenAPI      *OpenAPIInfo        `json:"openAPI,omitzero"`
}

// OpenAPIInfo describes the service to its clients. An empty Title is the service's name, and an empty Version the revision.
type OpenAPIInfo struct {
	Title       string `json:"title,omitempty"`
	Version     string `json:"version,omitempty"`
	Description string `json:"description,omitempty"`
}

// Service names the LLMService that the config was rendered from; the OpenAPI document carries the name.
type Service struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// Runtime holds the limits of one replica that change without a restart.
type Runtime struct {
	// MaxInFlight bounds the requests served at once; one more is answered 429 with Retry-After. 0 is what the gateway
	// derives from its memory, which bounds any other value, too.
	MaxInFlight int `json:"maxInFlight,omitzero"`
	// RequestBodyLimit bounds a request's body, in bytes; 0 is DefaultRequestBodyLimit.
	RequestBodyLimit int64 `json:"requestBodyLimit,omitzero"`
	// RequestLog is one of RequestLogs; empty is the first.
	RequestLog string `json:"requestLog,omitzero"`
	// TrustedProxies are the networks, in CIDR notation, of the proxies that may say for whom they ask.
	TrustedProxies []string `json:"trustedProxies,omitempty"`
}

// The requests that a gateway logs a line of.
const (
	RequestLogFailed = "Failed"
	RequestLogAll    = "All"
)

// RequestLogs are the values of runtime.requestLog.
var RequestLogs = []string{RequestLogFailed, RequestLogAll}

// The bounds of a request's body, in bytes. A schema is held against no more than the last.
const (
	MinRequestBodyLimit     = 1 << 10
	DefaultRequestBodyLimit = 4 << 20
	MaxRequestBodyLimit     = 16 << 20
)

// BodyLimit is the bound of a request's body, in bytes.
func (r *Runtime) BodyLimit() int64 { return cmp.Or(r.RequestBodyLimit, DefaultRequestBodyLimit) }

// Check returns what is wrong with the settings of the service itself: its name, and the members that nothing else in the config
// refers to. Package program calls it, and checks everything that has to fit something else or is compiled.
func (c *Config) Check() (wrong Errors) {
	if c.Service.Name == "" {
		wrong = append(wrong, FieldErrorf("service.name", "is required"))
	}
	if n := c.Runtime.MaxInFlight; n < 0 {
		wrong = append(wrong, FieldErrorf("runtime.maxInFlight", "is %d, want at least 1, or 0 for the number that memory allows", n))
	}
	if limit := c.Runtime.BodyLimit(); limit < MinRequestBodyLimit || limit > MaxRequestBodyLimit {
		wrong = append(wrong, FieldErrorf("runtime.requestBodyLimit",
			"is %d bytes, want %d to %d", limit, MinRequestBodyLimit, MaxRequestBodyLimit))
	}
	if l := c.Runtime.RequestLog; l != "" && !slices.Contains(RequestLogs, l) {
		wrong = append(wrong, FieldErrorf("runtime.requestLog", "is %q, want one of %s", l, strings.Join(RequestLogs, ", ")))
	}
	return wrong
}

// Upstream is a service that this one calls. Exactly one protocol member is set.
type Upstream struct {
	Name      string     `json:"name"`
	OpenAI    *OpenAI    `json:"openAI,omitzero"`
	HTTP      *HTTP      `json:"http,omitzero"`
	Endpoints []Endpoint `json:"endpoints"`
	Auth      *Auth      `json:"auth,omitzero"`
	// Headers are sent with every request, and Query is added to every URL.
	Headers []NamedValue `json:"headers,omitzero"`
	Query   []NamedValue `json:"query,omitzero"`
	TLS     *TLS         `json:"tls,omitzero"`
	// MaxConnectionAge is how long a connection is used for further requests; 0 is DefaultMaxConnectionAge.
	MaxConnectionAge Duration `json:"maxConnectionAge,omitzero"`
	// LoadBalancing is one of LoadBalancings; empty is the first.
	LoadBalancing string `json:"loadBalancing,omitzero"`
	// ConsistentHash says what the balancing of that name goes by.
	ConsistentHash *KeyedBalancing `json:"consistentHash,omitzero"`
	// MaxInFlight bounds the calls that are open; 0 means unlimited.
	MaxInFlight int       `json:"maxInFlight,omitzero"`
	Queue       *Queue    `json:"queue,omitzero"`
	Ejection    *Ejection `json:"ejection,omitzero"`
	// SlowStart is how long an endpoint that was ejected takes to get all of its share again.
	SlowStart Duration `json:"slowStart,omitzero"`
	Retries   *Retries `json:"retries,omitzero"`
	Timeouts  Timeouts `json:"timeouts"`
	// Prices are those of the model's tokens.
	Prices *Prices `json:"prices,omitzero"`
}

// DefaultMaxConnectionAge is how long a connection to an upstream is used, unless the upstream says otherwise.
const DefaultMaxConnectionAge = 5 * time.Minute

// ProtocolOpenAI is the name of OpenAI's protocol.
const ProtocolOpenAI = "OpenAI"

// Protocol is the name of the protocol of models that the upstream speaks, and the model that it is asked for; empty for a
// service that has none.
func (u *Upstream) Protocol() (name, model string) {
	if u.OpenAI != nil {
		return ProtocolOpenAI, u.OpenAI.Model
	}
	return "", ""
}

// OpenAI configures an upstream of the OpenAI protocol.
type OpenAI struct {
	// Model is the upstream's own name for the model.
	Model string `json:"model"`
	// APIs are those that the upstream has; none stands for DefaultAPIs.
	APIs []string `json:"apis,omitempty"`
	// Omit are members that the upstream does not take: they are left out of what it is asked.
	Omit []string `json:"omit,omitempty"`
	// TokenLimit is what a chat's limit of tokens is called, one of TokenLimits; empty leaves it as the request has it.
	TokenLimit string `json:"tokenLimit,omitempty"`
}

// The names of the member that limits a chat's tokens: max_tokens and max_completion_tokens.
const (
	LimitMaxTokens           = "MaxTokens"
	LimitMaxCompletionTokens = "MaxCompletionTokens"
)

// TokenLimits are both of them.
var TokenLimits = []string{LimitMaxTokens, LimitMaxCompletionTokens}

// StreamOptions is the member that asks for a stream's usage.
const StreamOptions = "stream_options"

// MaxOmitted bounds the members that are left out.
const MaxOmitted = 16

// Needed are the members that cannot be left out: a request needs them, or they limit what it may cost.
var Needed = []string{
	"model", "messages", "input", "prompt", "stream", "max_tokens", "max_completion_tokens", "max_output_tokens",
}

// Takes reports whether the upstream takes a member.
func (o *OpenAI) Takes(member string) bool { return !slices.Contains(o.Omit, member) }

// The APIs of the OpenAI protocol that an upstream may have.
const (
	APIChatCompletions = "ChatCompletions"
	APICompletions     = "Completions"
	APIEmbeddings      = "Embeddings"
	APIResponses       = "Responses"
)

// APIs are all of them.
var APIs = []string{APIChatCompletions, APICompletions, APIEmbeddings, APIResponses}

// DefaultAPIs are those that nearly every server of the protocol has.
var DefaultAPIs = []string{APIChatCompletions, APICompletions, APIEmbeddings}

// Has reports whether the upstream has an API.
func (o *OpenAI) Has(api string) bool {
	if len(o.APIs) == 0 {
		return slices.Contains(DefaultAPIs, api)
	}
	return slices.Contains(o.APIs, api)
}

// HTTP says that an upstream is a plain HTTP service, which http steps call.
type HTTP struct{}

// Endpoint is one base URL of an upstream, for example http://vllm.models.svc:8000/v1.
type Endpoint struct {
	URL string `json:"url"`
	// Weight is the share of the calls in proportion to the weights of the others; 0 is 1.
	Weight int `json:"weight,omitzero"`
	// MaxInFlight bounds the calls that are open on the endpoint; 0 means unlimited.
	MaxInFlight int `json:"maxInFlight,omitzero"`
	// Resolution is one of Resolutions; empty is the first.
	Resolution string `json:"resolution,omitempty"`
}

// Timeouts bound one call of an upstream.
type Timeouts struct {
	// Connect bounds dialling, TLS included.
	Connect Duration `json:"connect"`
	// Header bounds the wait from the call, connecting included, to the head of the answer; 0 leaves that to FirstToken and Total.
	Header Duration `json:"header,omitzero"`
	// FirstToken bounds the wait from the call, connecting included, to a streamed answer's first content event.
	FirstToken Duration `json:"firstToken"`
	// Idle bounds the silence between two events of a streamed answer.
	Idle Duration `json:"idle"`
	// Total bounds a whole (not streamed) answer.
	Total Duration `json:"total"`
}

// Model is one name of the OpenAI-compatible endpoint under /v1.
type Model struct {
	Name string `json:"name"`
	// Upstreams are tried in order; the next one only before the first content event was sent.
	Upstreams []string `json:"upstreams,omitempty"`
	// Weights determine which of them is tried first; without any, their order does.
	Weights []Share `json:"weights,omitempty"`
	// Route answers in place of upstreams; nil if there are any.
	Route *ModelRoute `json:"route,omitzero"`
	// KeepAlive is the silence after which a stream gets a comment; 0 sends none.
	KeepAlive Duration `json:"keepAlive,omitzero"`
}

// ModelRoute makes a conversation a request of a typed route.
type ModelRoute struct {
	// Path is that of a route whose method is POST.
	Path string `json:"path"`
	// Body is a JSON document whose strings are templates over the conversation.
	Body jsontext.Value `json:"body"`
}

// Share is the share of a model's requests for which one of its upstreams is tried first.
type Share struct {
	Upstream string `json:"upstream"`
	// Weight is in proportion to the sum of all; 0 is tried after those that have more.
	Weight int `json:"weight"`
}
