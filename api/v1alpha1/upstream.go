package v1alpha1

// UpstreamType selects the protocol of an upstream.
//
// +kubebuilder:validation:Enum=OpenAI;HTTP
type UpstreamType string

// The protocols of an upstream.
const (
	// UpstreamOpenAI is OpenAI's chat completions and embeddings, which vLLM, SGLang, llama.cpp and others support, too.
	UpstreamOpenAI UpstreamType = "OpenAI"
	// UpstreamHTTP is any HTTP service, for http steps.
	UpstreamHTTP UpstreamType = "HTTP"
)

// Upstream is a server that this service calls.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'OpenAI' ? has(self.openAI) : !has(self.openAI)",message="openAI is required when type is OpenAI, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="has(self.consistentHash) == (has(self.loadBalancing) && self.loadBalancing == 'ConsistentHash')",message="consistentHash is required if loadBalancing is ConsistentHash, and not allowed otherwise"
// +kubebuilder:validation:XValidation:rule="!has(self.queue) || has(self.maxInFlight) || self.endpoints.exists(e, has(e.maxInFlight))",message="queue has no effect without maxInFlight of the upstream or of an endpoint"
// +kubebuilder:validation:XValidation:rule="!has(self.prices) || self.type != 'HTTP'",message="prices are for models: forbidden when type is HTTP"
// +kubebuilder:validation:XValidation:rule="self.type == 'HTTP' ? has(self.http) : !has(self.http)",message="http is required when type is HTTP, and forbidden otherwise"
type Upstream struct {
	// name is the name by which steps and models refer to the upstream: a DNS label of at most 63 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// type selects the protocol, and with it the member of the same name: OpenAI, for models, or HTTP, for http steps.
	// +unionDiscriminator
	// +required
	Type UpstreamType `json:"type,omitempty"`

	// openAI configures an upstream with the OpenAI protocol.
	// +unionMember
	// +optional
	OpenAI *OpenAIUpstream `json:"openAI,omitempty"`

	// http is {}: an HTTP service has no settings.
	// +unionMember
	// +optional
	HTTP *HTTPUpstream `json:"http,omitempty"`

	// endpoints are the base URLs of the upstream, from 1 to 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// auth is how the gateway authenticates to the upstream. Default: it sends no credentials.
	// +optional
	Auth *UpstreamAuth `json:"auth,omitempty"`

	// headers are sent with every request to the upstream. At most 16. Credentials belong into auth.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Headers []UpstreamHeader `json:"headers,omitempty"`

	// query are parameters that are added to every URL, such as Azure's api-version. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Query []UpstreamParameter `json:"query,omitempty"`

	// tls is how the gateway and the upstream know each other over https. Default: the upstream's certificate must be from a
	// public authority, and the gateway has none.
	// +optional
	TLS *UpstreamTLS `json:"tls,omitempty"`

	// maxConnectionAge is how long a connection is used for further requests, more than 0s. Requests that run are not cut. Each
	// connection gets up to a tenth less, so that not all close at once. Default: 5m.
	// +optional
	MaxConnectionAge Duration `json:"maxConnectionAge,omitempty"`

	// loadBalancing selects the endpoint of each call: LeastInFlight takes the one of two with fewer calls for its weight; RoundRobin
	// takes them in turn; ConsistentHash takes the same one for the same key. Default: LeastInFlight.
	// +optional
	LoadBalancing LoadBalancing `json:"loadBalancing,omitempty"`

	// consistentHash is required if loadBalancing is ConsistentHash, and not allowed otherwise.
	// +optional
	ConsistentHash *KeyedBalancing `json:"consistentHash,omitempty"`

	// maxInFlight is the number of calls that a replica makes to the upstream at the same time, from 1 to 100000; further
	// calls wait in the queue. N replicas may make N times as many. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxInFlight int32 `json:"maxInFlight,omitempty"`

	// queue limits the calls that wait because maxInFlight, or that of each endpoint, is reached. A call that does not get a place
	// goes to the model's next upstream, or fails with a 429.
	// +optional
	Queue *UpstreamQueue `json:"queue,omitempty"`

	// ejection says when an endpoint that fails gets no calls for a while.
	// +optional
	Ejection *Ejection `json:"ejection,omitempty"`

	// slowStart is the time in which an endpoint that was ejected and answers again goes from a tenth of its share of the calls
	// to all of it, such as 30s. Default: it has all of it at once.
	// +optional
	SlowStart Duration `json:"slowStart,omitempty"`

	// retries say when a call that failed is made again at the upstream.
	// +optional
	Retries *UpstreamRetries `json:"retries,omitempty"`

	// timeouts limit one call to the upstream.
	// +optional
	// +kubebuilder:default={}
	Timeouts *UpstreamTimeouts `json:"timeouts,omitempty"`

	// prices are what a million of the model's tokens cost. With them the gateway reports the cost of calls, in the same currency.
	// +optional
	Prices *UpstreamPrices `json:"prices,omitempty"`
}

// OpenAIUpstream configures an upstream with the OpenAI protocol.
type OpenAIUpstream struct {
	// model is the name of the model at the upstream, of at most 256 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// apis are the APIs that the upstream has, from 1 to 4: ChatCompletions, Completions, Embeddings and Responses. The gateway
	// translates between chats and responses if it has only one of the two. Default: all but Responses.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	APIs []OpenAIAPI `json:"apis,omitempty"`

	// omit names members that the upstream does not accept, from 1 to 16: requests to it do not have them at the top level. Name
	// stream_options if it refuses to report the usage of streams.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Omit []OmittedMember `json:"omit,omitempty"`

	// tokenLimit is the upstream's name for the limit of a chat's tokens: MaxTokens or MaxCompletionTokens. Default: the name in the
	// request; max_tokens for a limit that the gateway adds.
	// +optional
	TokenLimit TokenLimit `json:"tokenLimit,omitempty"`
}

// The name of an optional member of a request.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="!(self in ['model', 'messages', 'input', 'prompt', 'stream', 'max_tokens', 'max_completion_tokens', 'max_output_tokens'])",message="this member is always sent"
type OmittedMember string

// A name of the member that limits a chat's tokens.
//
// +kubebuilder:validation:Enum=MaxTokens;MaxCompletionTokens
type TokenLimit string

// The names of the limit.
const (
	// LimitMaxTokens is max_tokens, which nearly every server knows.
	LimitMaxTokens TokenLimit = "MaxTokens"
	// LimitMaxCompletionTokens is max_completion_tokens, which counts reasoning too.
	LimitMaxCompletionTokens TokenLimit = "MaxCompletionTokens"
)

// One of the APIs that servers of OpenAI's protocol have.
//
// +kubebuilder:validation:Enum=ChatCompletions;Completions;Embeddings;Responses
type OpenAIAPI string

// The APIs of an upstream.
const (
	// APIChatCompletions is POST /chat/completions.
	APIChatCompletions OpenAIAPI = "ChatCompletions"
	// APICompletions is POST /completions, which completes a text.
	APICompletions OpenAIAPI = "Completions"
	// APIEmbeddings is POST /embeddings.
	APIEmbeddings OpenAIAPI = "Embeddings"
	// APIResponses is POST /responses.
	APIResponses OpenAIAPI = "Responses"
)

// HTTPUpstream has no members.
type HTTPUpstream struct{}

// Endpoint is one address of an upstream.
type Endpoint struct {
	// url is the base URL, to which paths are appended: with http://vllm.models.svc:8000/v1, chats go to
	// http://vllm.models.svc:8000/v1/chat/completions. At most 2048 characters, http or https, without user information, query and
	// fragment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://`
	URL string `json:"url,omitempty"`

	// weight is the endpoint's share of the calls in proportion to the weights of the others, from 1 to 1000. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weight int32 `json:"weight,omitempty"`

	// maxInFlight is the number of calls that a replica makes to the endpoint at the same time, from 1 to 100000. Default: no
	// limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxInFlight int32 `json:"maxInFlight,omitempty"`

	// resolution is Host, which makes the URL's host one endpoint, or EachAddress, which makes each of its addresses one, with this
	// weight and maxInFlight, and resolves it again at its TTL, as headless Services need. Default: Host.
	// +optional
	Resolution Resolution `json:"resolution,omitempty"`
}

// Resolution is what the host of an endpoint stands for.
//
// +kubebuilder:validation:Enum=Host;EachAddress
type Resolution string

// The resolutions of an endpoint.
const (
	// ResolutionHost is one endpoint, whichever of the host's addresses a connection is made to.
	ResolutionHost Resolution = "Host"
	// ResolutionEachAddress is an endpoint for each address of the host.
	ResolutionEachAddress Resolution = "EachAddress"
)

// UpstreamTimeouts limit one call to an upstream.
type UpstreamTimeouts struct {
	// connect limits dialling, including TLS. Default: 2s.
	// +optional
	// +kubebuilder:default="2s"
	Connect Duration `json:"connect,omitempty"`

	// header limits the time from the call, including the connection, to the head of the answer, more than 0s. Models send it
	// with their first token, or when a whole answer is ready. Default: firstToken for a streamed answer, total for a whole one.
	// +optional
	Header Duration `json:"header,omitempty"`

	// firstToken limits the time from the call, including the connection, to the first content event of a streamed answer.
	// Default: 30s.
	// +optional
	// +kubebuilder:default="30s"
	FirstToken Duration `json:"firstToken,omitempty"`

	// idle limits the silence between two events of a streamed answer. Default: 30s.
	// +optional
	// +kubebuilder:default="30s"
	Idle Duration `json:"idle,omitempty"`

	// total limits a whole answer; idle and runtime.maxStreamDuration limit streamed ones. Default: 2m.
	// +optional
	// +kubebuilder:default="2m"
	Total Duration `json:"total,omitempty"`
}
