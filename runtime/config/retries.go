package config

import (
	"slices"
	"time"
)

// The conditions of retries.
const (
	// RetryConnect means that no connection could be made, so nothing was sent.
	RetryConnect = "Connect"
	// RetryReset means that the connection broke before or within the answer.
	RetryReset = "Reset"
	// RetryTooManyRequests means status 429.
	RetryTooManyRequests = "TooManyRequests"
	// RetryServerError means a status from 500, an error in a stream, or an answer that violates the protocol.
	RetryServerError = "ServerError"
	// RetryTimeout means that no content, or no whole answer, came in time.
	RetryTimeout = "Timeout"
)

// RetryConditions are all of them.
func RetryConditions() []string {
	return []string{RetryConnect, RetryReset, RetryTooManyRequests, RetryServerError, RetryTimeout}
}

// Retries say when a call that failed is made again at the same upstream. A zero value stands for a default of package
// upstream.
type Retries struct {
	// RetryOn are of RetryConditions.
	RetryOn []string `json:"retryOn,omitempty"`
	// Attempts is how often the upstream is asked for one request; 0 is once at each endpoint, and of a host of which each
	// address is an endpoint, at AddressesAsked of them.
	Attempts      int      `json:"attempts,omitzero"`
	Backoff       *Backoff `json:"backoff,omitzero"`
	BudgetPercent int      `json:"budgetPercent,omitzero"`
}

// MaxRetryAttempts bounds Attempts.
const MaxRetryAttempts = 10

// DefaultRetry is the pause before an endpoint is asked again.
var DefaultRetry = Backoff{Initial: Duration(100 * time.Millisecond), Max: Duration(5 * time.Second)}

// Attempts is how often the upstream is asked for one request, and how long the pauses are between in all, at most.
func (u *Upstream) Attempts() (n int, pauses time.Duration) {
	if u.Retries == nil || u.Retries.Attempts == 0 {
		return u.Asked(), 0
	}
	_, most := u.Retries.Backoff.Or(DefaultRetry)
	n = u.Retries.Attempts
	return n, most * time.Duration(max(n-len(u.Endpoints), 0))
}

// RetriesOnce reports whether a request that must not arrive twice is repeated only where it was not sent.
func (u *Upstream) RetriesOnce() bool {
	return u.Retries == nil || len(u.Retries.RetryOn) == 0 || slices.Equal(u.Retries.RetryOn, []string{RetryConnect})
}
