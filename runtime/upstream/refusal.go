package upstream

import (
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// refusedFor is how long an upstream has to refuse a key, without accepting it once, until that is told: some answer 403 to
// single requests, for reasons of their own.
const refusedFor = 5 * time.Second

// keyed is a key of an upstream.
type keyed struct{ upstream, path string }

// verdict is what an upstream thinks of a key. It is about one value of the key: nothing is known of the next.
type verdict struct {
	value    string
	accepted time.Time
	// refused is when the value was first refused since it was last accepted; zero while it is not.
	refused time.Time
}

// unauthorized says that an upstream refuses the key that it was sent, or the lack of one (RFC 9110, sections 15.5.2 and
// 15.5.4). That says nothing of another upstream.
func unauthorized(f relay.Failure) bool {
	return f.Kind == relay.FailedStatus && (f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden)
}

// settle takes in how a call of an upstream ended that was sent a key's value. What succeeds was accepted; any failure but a
// refusal may have come before the key was looked at, and says nothing.
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

// Refused says since when the upstream refuses the key in a file, as it is now; false where it does not.
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

// Retain forgets what upstreams thought of keys that they do not use any more. Uses says which upstream uses which file.
func (c *Credentials) Retain(uses func(upstream, path string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for of := range c.verdicts {
		if !uses(of.upstream, of.path) {
			delete(c.verdicts, of)
		}
	}
}
