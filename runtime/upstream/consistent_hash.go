package upstream

import "math"

// Key decides which calls belong together: a strategy that uses keys sends those with equal keys to one endpoint. It is a hash
// of a text, which is not kept, and the same in each replica. The zero value means that there is no key.
type Key uint64

// NewKey returns the key of a text; zero if the text is empty.
func NewKey(text string) Key {
	if text == "" {
		return 0
	}
	return Key(max(mixed(hashOf(text)), 1))
}

// hashOf is FNV-1a; the standard library's would copy the text.
func hashOf(text string) uint64 {
	hash := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 0x100000001b3
	}
	return hash
}

// mixed turns numbers that differ in a few bits into numbers that differ in half of them (the finalizer of splitmix64).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// consistentHash sends the calls of a key to the endpoint with the highest score for it (rendezvous hashing: Thaler and
// Ravishankar 1998; with weights: Schindelhauer and Schomaker 2005). Scores do not depend on the other endpoints, so if an
// endpoint goes away, only its own keys move. An endpoint with more open calls than most times its share of them is passed over
// for the key's next one (Mirrokni, Thorup and Zadimoghaddam 2018). Calls without a key are left to another strategy.
type consistentHash struct {
	most  float64 // at least 1, so that at least one endpoint has less
	other strategy
}

// hashLoad is the default of Options.HashLoadPercent.
const hashLoad = 150

func (s consistentHash) choose(from []candidate, key Key) *Endpoint {
	if key == 0 {
		return s.other.choose(from, key)
	}
	calls, weights := 1, 0.0 // with the one that is being placed
	for i := range from {
		calls += from[i].inFlight
		weights += from[i].weight
	}
	best, highest := 0, math.Inf(-1)
	for i := range from {
		if from[i].load()*weights >= s.most*float64(calls) {
			continue
		}
		if score := from[i].score(key); score > highest {
			best, highest = i, score
		}
	}
	return from[best].Endpoint
}

// score is the endpoint's score for a key. With a given part of the whole weight, it is the highest of all for the same part of
// the keys.
func (c *candidate) score(key Key) float64 {
	if c.hash == 0 {
		c.hash = hashOf(c.URL)
		if c.Address.IsValid() {
			c.hash = hashOf(c.URL + "\x00" + c.Address.String())
		}
	}
	const bits = 52 // this many fit into a float64 to which a half is added, so that the result is neither 0 nor 1
	drawn := (float64(mixed(uint64(key)^c.hash)>>(64-bits)) + 0.5) / (1 << bits)
	return -c.weight / math.Log(drawn)
}
