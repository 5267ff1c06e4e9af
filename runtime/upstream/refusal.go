package upstream

import (
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// refusedFor is how long an upstream has to refuse a key, without accepting it once, before it is reported: some answer single
// requests with 403 for reasons of their own.
const refusedFor = 5 * time.Second

// keyed is a key of one upstream.
type keyed struct{ upstream, path string }

// verdict is whether an upstream accepts one value of a key. It says nothing about the next value.
type verdict struct {
	value    string
	accepted time.Time
	// refused is when the value was first refused since it was last accepted; zero while it is not.
	refused time.Time
}

// unauthorized reports whether an upstream refused the key that it was sent, or the lack of one (RFC 9110, sections 15.5.2 and
// 15.5.4). Other upstreams may accept it.
func unauthorized(f relay.Failure) bool {
	return f.Kind == relay.FailedStatus && (f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden)
}

// settle records how a call that carried a key's value has ended. A success means that the key was accepted. A failure other
// than a refusal may have come before the key was looked at, and means nothing.
func (c *Credentials) settle(of keyed, value string, f relay.Failure, now time.Time) {
	if f.Kind != relay.NoFailure && !unauthorized(f) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[of.path].value != value {
		return // the key has changed since
	}
	known := c.verdicts[of]
	if known.value != value {
		known = verdict{value: value}
	}
	switch {
	case !unauthorized(f):
		known.accepted, known.refused = now, time.Time{}
	case known.refused.IsZero():
		known.refused = now
	}
	c.verdicts[of] = known
}

// Refused returns since when the upstream has refused the present key in a file; false if it does not refuse it.
func (c *Credentials) Refused(upstream, path string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.verdicts[keyed{upstream, path}]
	if known.refused.IsZero() || known.value != c.all[path].value {
		return time.Time{}, false
	}
	if !known.accepted.IsZero() && time.Since(known.accepted) < refusedFor {
		return time.Time{}, false
	}
	return known.refused, true
}

// Retain forgets the verdicts about keys that upstreams do not use any more. Uses reports whether an upstream uses a file.
func (c *Credentials) Retain(uses func(upstream, path string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for of := range c.verdicts {
		if !uses(of.upstream, of.path) {
			delete(c.verdicts, of)
		}
	}
}
