package v1alpha1

// A kind of failure after which a call is made again.
//
// +kubebuilder:validation:Enum=Connect;Reset;TooManyRequests;ServerError;Timeout
type RetryCondition string

// The conditions of retries.
const (
	// RetryConnect is that no connection could be made.
	RetryConnect RetryCondition = "Connect"
	// RetryReset is a connection that broke before or within the answer.
	RetryReset RetryCondition = "Reset"
	// RetryTooManyRequests is a 429.
	RetryTooManyRequests RetryCondition = "TooManyRequests"
	// RetryServerError is a 500 or above, an error in a stream, or an answer that violates the protocol.
	RetryServerError RetryCondition = "ServerError"
	// RetryTimeout is that no content, or no whole answer, came in time.
	RetryTimeout RetryCondition = "Timeout"
)

// UpstreamRetries says when a call that failed before any content was sent is made again at the same upstream.
type UpstreamRetries struct {
	// retryOn are the conditions, at most 5. Default: all, but Connect alone for an http step with POST or PATCH. If set, they
	// apply to these steps, too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	RetryOn []RetryCondition `json:"retryOn,omitempty"`

	// attempts is the number of calls for one request, the first included, from 1 to 10. Default: one at each endpoint.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Attempts int32 `json:"attempts,omitempty"`

	// backoff is the pause before the endpoints are asked over again. initial defaults to 100ms, max to 5s; up to half is drawn.
	// A longer Retry-After counts; above max, the call is not retried.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty"`

	// budgetPercent is the share of the open calls that may be retries, from 1 to 100; 3 always may. Default: 20.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	BudgetPercent int32 `json:"budgetPercent,omitempty"`
}
