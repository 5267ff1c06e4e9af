package problem

// Code names what went wrong. Codes are part of the API: clients switch on them, so none is ever renamed or given
// another meaning.
type Code string

// The codes of everything a gateway answers by itself.
const (
	InvalidRequest       Code = "invalid_request"             // the body does not satisfy the route's schema
	MalformedJSON        Code = "malformed_json"              // the body is not JSON, or not JSON that may be accepted
	MalformedForm        Code = "malformed_form"              // the body is not a form, or not one that may be accepted
	NotFound             Code = "not_found"                   // no such route
	ModelNotFound        Code = "model_not_found"             // the service has no model of that name
	PreviousNotFound     Code = "previous_response_not_found" // no upstream of the model keeps the response that is to be continued
	MethodNotAllowed     Code = "method_not_allowed"          // the path exists, for other methods
	RequestTimeout       Code = "request_timeout"             // the request did not arrive in time
	PayloadTooLarge      Code = "payload_too_large"           // the body is over the limit
	UnsupportedMediaType Code = "unsupported_media_type"      // the body is not of a type that the route reads
	Overloaded           Code = "overloaded"                  // this replica has no room
	Draining             Code = "draining"                    // this replica is going away
	Timeout              Code = "timeout"                     // the route's own deadline
	DurationExceeded     Code = "stream_duration_exceeded"    // the longest time that a stream may take
	BudgetExceeded       Code = "budget_exceeded"             // the request has spent what its route allows it
	ResponseInvalid      Code = "response_invalid"            // the route's answer breaks its own response schema
	OutputInvalid        Code = "output_invalid"              // a model's answer breaks the schema that was asked of it
	TurnsExceeded        Code = "turns_exceeded"              // an agent has had all its turns and still calls tools
	VoteUndecided        Code = "vote_undecided"              // no key has the votes that a vote wants
	Internal             Code = "internal"                    // a fault of the gateway, or an expression that fails for any request
	UpstreamUnavailable  Code = "upstream_unavailable"        // no endpoint may be tried now
	UpstreamUnreachable  Code = "upstream_unreachable"        // every endpoint tried refused or dropped the connection
	UpstreamTimeout      Code = "upstream_timeout"            // one of the upstream's own timeouts
	UpstreamOverloaded   Code = "upstream_overloaded"         // the upstream answered 429
	UpstreamRejected     Code = "upstream_rejected"           // the upstream refused the request as wrong
	UpstreamError        Code = "upstream_error"              // the upstream answered something unusable
	UpstreamTruncated    Code = "upstream_truncated"          // the upstream's answer broke off
)

// OpenAI's names for kinds of errors, from its API's reference on error codes.
const (
	openAIInvalid   = "invalid_request_error"
	openAIRateLimit = "rate_limit_error"
	openAIServer    = "server_error"
)

// meaning is what a code stands for: the status of RFC 9110 (and RFC 6585 for 429), OpenAI's error type, and the
// sentence a client reads when nothing more exact is known.
type meaning struct {
	status  int
	openAI  string
	message string
}

var meanings = map[Code]meaning{
	InvalidRequest:   {422, openAIInvalid, "The request does not satisfy the schema of this route."},
	MalformedJSON:    {422, openAIInvalid, "The request body is not valid JSON."},
	MalformedForm:    {400, openAIInvalid, "The request body is not a valid form."},
	NotFound:         {404, openAIInvalid, "Not Found"},
	ModelNotFound:    {404, openAIInvalid, "The model does not exist."},
	PreviousNotFound: {400, openAIInvalid, "The previous response was not found."},
	MethodNotAllowed: {405, openAIInvalid, "Method Not Allowed"},
	RequestTimeout: {408, openAIInvalid, "The request body did not arrive in time. It must come whole, without long pauses, " +
		"and at 16 KiB a second on average."},
	PayloadTooLarge:      {413, openAIInvalid, "The request body is too large."},
	UnsupportedMediaType: {415, openAIInvalid, "The request's content type is not supported."},
	Overloaded:           {429, openAIRateLimit, "The service is at its limit. Try again later."},
	Draining:             {503, openAIServer, "This replica is shutting down. Try again."},
	Timeout:              {504, openAIServer, "The request took longer than this route allows."},
	DurationExceeded:     {504, openAIServer, "The stream reached its maximum duration."},
	BudgetExceeded:       {502, openAIServer, "The request used up the budget of this route."},
	ResponseInvalid:      {502, openAIServer, "The answer does not satisfy the response schema of this route."},
	OutputInvalid:        {502, openAIServer, "The model's answer does not satisfy the schema of its step."},
	TurnsExceeded:        {502, openAIServer, "The agent reached its turn limit without an answer."},
	VoteUndecided:        {502, openAIServer, "The vote was not decided."},
	Internal:             {500, openAIServer, "Internal Server Error"},
	UpstreamUnavailable:  {503, openAIServer, "The upstream is unavailable. Try again later."},
	UpstreamUnreachable:  {502, openAIServer, "The upstream could not be reached."},
	UpstreamTimeout:      {504, openAIServer, "The upstream did not answer in time."},
	UpstreamOverloaded:   {429, openAIRateLimit, "The upstream is at its limit. Try again later."},
	UpstreamRejected:     {400, openAIInvalid, "The upstream rejected the request."},
	UpstreamError:        {502, openAIServer, "The upstream failed to answer the request."},
	UpstreamTruncated:    {502, openAIServer, "The upstream's answer broke off before its end."},
}
