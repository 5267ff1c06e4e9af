package v1alpha1

// LoadBalancing selects how calls are spread over an upstream's endpoints.
//
// +kubebuilder:validation:Enum=LeastInFlight;RoundRobin;ConsistentHash
type LoadBalancing string

// The ways to spread calls.
const (
	// LoadBalancingLeastInFlight takes, of two endpoints, the one that is less busy.
	LoadBalancingLeastInFlight LoadBalancing = "LeastInFlight"
	// LoadBalancingRoundRobin takes the endpoints in turn.
	LoadBalancingRoundRobin LoadBalancing = "RoundRobin"
	// LoadBalancingConsistentHash takes the same endpoint for the same key.
	LoadBalancingConsistentHash LoadBalancing = "ConsistentHash"
)

// What the calls of one endpoint have in common.
type KeyedBalancing struct {
	// key is text with expressions over request, such as ${request.headers['x-session']}. Calls with the same text go to the same
	// endpoint; those without text, or whose expression fails, are spread as by LeastInFlight. At most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Key string `json:"key,omitempty"`

	// loadPercent is the number of open calls that an endpoint may have, in percent of its share of all, from 100 to 1000; further
	// calls go to the next endpoint for their key. Default: 150.
	// +optional
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=1000
	LoadPercent int32 `json:"loadPercent,omitempty"`
}

// UpstreamQueue limits the calls that wait for one of an upstream's calls to end.
type UpstreamQueue struct {
	// depth is the number of calls of a replica that may wait, from 1 to 10000. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Depth int32 `json:"depth,omitempty"`

	// timeout limits each wait. Default: 2s.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`
}

// Ejection says when an endpoint that fails gets no calls for a while. Failures are: no connection, a 429, a 500 or above,
// a timeout, and an answer that breaks off or violates the protocol.
type Ejection struct {
	// consecutiveFailures is the number of failures in a row that eject an endpoint, from 1 to 1000. If no connection can be
	// made, one failure ejects it. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty"`

	// failureRatio also ejects an endpoint when too many of its calls fail, in a row or not. Default: it does not.
	// +optional
	FailureRatio *FailureRatio `json:"failureRatio,omitempty"`

	// backoff is how long an endpoint is ejected. initial defaults to 1s, max to 30s; up to a fifth less is drawn each time. A
	// longer Retry-After counts, up to max.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty"`

	// maxPercent is the share of the endpoints that may be ejected at the same time, from 0 to 100. With 0 none is ejected,
	// otherwise at least one may be. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxPercent *int32 `json:"maxPercent,omitempty"`

	// panicPercent is the share of the endpoints, from 1 to 100: while fewer are not ejected, calls go to all of them. Without
	// it, calls go to all while none is left. Default: no threshold.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	PanicPercent int32 `json:"panicPercent,omitempty"`
}

// FailureRatio is a share of failed calls.
type FailureRatio struct {
	// percent is the share, from 1 to 100.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`

	// minCalls is the number of calls within the window from which the share counts, from 1 to 100000. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MinCalls int32 `json:"minCalls,omitempty"`

	// window is the time over which calls are counted. Default: 10s.
	// +optional
	Window Duration `json:"window,omitempty"`
}

// Backoff is a time that doubles from one failure to the next.
//
// +kubebuilder:validation:XValidation:rule="!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)",message="initial must not exceed max"
type Backoff struct {
	// initial is the first time, such as 1s.
	// +optional
	Initial Duration `json:"initial,omitempty"`

	// max limits the time, such as 30s.
	// +optional
	Max Duration `json:"max,omitempty"`
}
