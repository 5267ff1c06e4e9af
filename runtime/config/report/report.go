// Package report is what a gateway reports to the operator, and where: the counterpart of delivery.
package report

import (
	"time"

	"github.com/llmservice/llmservice/runtime/config"
)

// Status is what a gateway reports: as JSON at StatusPath of its admin listener while it runs, and as its
// container's termination message when it ends. It holds figures and names, never a secret, prompt or body. Only clients within
// the pod get the names: others, which include the operator, get it Unnamed.
type Status struct {
	// Version is the contract version that the gateway reads.
	Version string `json:"version"`
	// Build is the version of the gateway's program, as the Go toolchain stamped it; empty if it did not.
	Build string `json:"build,omitempty"`
	// Revision is the config being served; empty while none could be loaded.
	Revision string `json:"revision"`
	// Source is the key that Revision was loaded from: CurrentKey or LastGoodKey.
	Source string `json:"source,omitempty"`
	// Rejected is set while the current config cannot be served.
	Rejected *RejectedConfig `json:"rejected,omitempty"`
	Draining bool            `json:"draining"`
	// InFlight counts the requests being served now, streams included.
	InFlight int64 `json:"inFlight"`
	// MaxInFlight is how many there may be: what the config says as far as memory allows, or what memory suggests.
	MaxInFlight int64         `json:"maxInFlight"`
	Memory      MemoryUse     `json:"memory"`
	Streams     Streams       `json:"streams"`
	Secrets     []SecretState `json:"secrets,omitempty"`
	// RefusedKeys are those that their upstreams refuse, by 401 or 403.
	RefusedKeys []RefusedKey `json:"refusedKeys,omitempty"`
	Upstreams   []Upstream   `json:"upstreams,omitempty"`
}

// Upstream is how calls of an upstream go. Counts are of the process's life.
type Upstream struct {
	Name string `json:"name"`
	// InFlight are the calls that are open, and Waiting those that wait for one to end.
	InFlight int `json:"inFlight"`
	Waiting  int `json:"waiting,omitempty"`
	// Endpoints is how many there are, and Available how many of them have their share of the calls.
	Endpoints int `json:"endpoints"`
	Available int `json:"available"`
	// Ejections counts the endpoints that were ejected, Panics the calls that went to all endpoints because too few were left,
	// and Refusals those for which there was no room in time.
	Ejections int64 `json:"ejections,omitempty"`
	Panics    int64 `json:"panics,omitempty"`
	Refusals  int64 `json:"refusals,omitempty"`
	// Retries counts the calls that followed one that was sent and failed, and RetriesRefused those for which the upstream's
	// budget had no room.
	Retries        int64 `json:"retries,omitempty"`
	RetriesRefused int64 `json:"retriesRefused,omitempty"`
	// Unkeyed counts the calls without a key, of an upstream that spreads calls by keys.
	Unkeyed int64 `json:"unkeyed,omitempty"`
	// Unavailable are the others of the endpoints, of all upstreams together at most MaxUnavailable.
	Unavailable []Endpoint `json:"unavailable,omitempty"`
}

// MaxUnavailable bounds what a status lists: the operator reads it often.
const MaxUnavailable = 32

// Endpoint is one that does not have its share of the calls.
type Endpoint struct {
	// Host is what its URL names, with the port if it has one.
	Host string `json:"host"`
	// Address is that of the endpoint, where each address of the host is one.
	Address string `json:"address,omitempty"`
	// Condition is Ejected, Probed or SlowStarting, and Until when the first or the last of these ends.
	Condition string    `json:"condition"`
	Until     time.Time `json:"until,omitzero"`
	InFlight  int       `json:"inFlight,omitempty"`
}

// MemoryUse is what requests may reserve for large bodies and answers, and have reserved now, in bytes.
type MemoryUse struct {
	Budget   int64 `json:"budget"`
	Reserved int64 `json:"reserved"`
	// Refused counts the reservations that found no room, since the process began.
	Refused int64 `json:"refused"`
}

// RejectedConfig is the reason why a gateway does not serve a config that it was given.
type RejectedConfig struct {
	Revision string `json:"revision"`
	Message  string `json:"message"`
}

// Streams counts streams since the process began. Opened = Open + Done + Failed + Cancelled at every moment.
type Streams struct {
	Opened int64 `json:"opened"`
	Open   int64 `json:"open"`
	// Done ended as the protocol says.
	Done int64 `json:"done"`
	// Failed ended with an error event.
	Failed int64 `json:"failed"`
	// Cancelled ended because the client left.
	Cancelled int64 `json:"cancelled"`
}

// SecretState reports whether a secret file can be read; never what is in it.
type SecretState struct {
	config.SecretFile
	// Index is the place of the file in config.SecretFiles of the revision, from 0.
	Index  int  `json:"index,omitzero"`
	Loaded bool `json:"loaded"`
	// Problem is the reason why a file that is there cannot be used; empty for one that is missing.
	Problem string `json:"problem,omitempty"`
	// Modified is when the file was written, and Since when the gateway first read what it uses now: a rotated key is live
	// from then on. Both are absent while the file is not loaded.
	Modified time.Time `json:"modified,omitzero"`
	Since    time.Time `json:"since,omitzero"`
}

// RefusedKey says that an upstream has refused a key, as it is now, since a time, and has not accepted it in between.
type RefusedKey struct {
	Upstream string `json:"upstream,omitzero"`
	// UpstreamIndex is the place of the upstream in the revision, and Index that of the file in config.SecretFiles, from 0.
	UpstreamIndex int `json:"upstreamIndex,omitzero"`
	config.SecretFile
	Index int       `json:"index,omitzero"`
	Since time.Time `json:"since"`
}

// Where the gateway says it.
const (
	// StatusPath answers a Status.
	StatusPath = "/status"
	// MetricsPath answers Prometheus metrics.
	MetricsPath = "/metrics"
	// LivePath answers 200 while the process works.
	LivePath = "/healthz"
	// ReadyPath answers 200 while the gateway has a config and is not draining.
	ReadyPath = "/readyz"
	// TerminationLog is the kubelet's default file for a container's last words.
	TerminationLog = "/dev/termination-log"
)
