package upstream

import "math"

// Key says which calls belong to one endpoint: those of equal keys, for a strategy that knows keys. It is a hash of a text, of
// which nothing is kept, and the same in each replica. The zero value is none.
type Key uint64

// NewKey is the key of a text; none if that is empty.
func NewKey(text string) Key {
	if text == "" {
		return 0
	}
	return Key(max(mixed(hashOf(text)), 1))
}

// hashOf is FNV-1a, of which the standard library's copies the text.
func hashOf(text string) uint64 {
	hash := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 0x100000001b3
	}
	return hash
}

// mixed makes of numbers that differ in a few bits some that differ in half of them (the finalizer of splitmix64).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// consistentHash sends the calls of a key to the endpoint that has the highest score for it (rendezvous hashing: Thaler and
// Ravishankar 1998; with weights: Schindelhauer and Schomaker 2005). No score depends on the other endpoints, so that one that
// goes leaves all keys but its own where they are. An endpoint that has more open calls than most times its share of them is
// passed over for the key's next one (Mirrokni, Thorup and Zadimoghaddam 2018). Calls without a key are another strategy's.
type consistentHash struct {
	most  float64 // at least 1: so one endpoint at least has less
	other strategy
}

// The default of Options.HashLoadPercent.
const hashLoad = 150

func (s consistentHash) choose(from []candidate, key Key) *Endpoint {
	if key == 0 {
		return s.other.choose(from, key)
	}
	calls, weights := 1, 0.0 // with the one to come
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

// score is the endpoint's for a key: with so much of the weight it is the highest of all for so much of the keys.
func (c *candidate) score(key Key) float64 {
	if c.hash == 0 {
		c.hash = hashOf(c.URL)
		if c.Address.IsValid() {
			c.hash = hashOf(c.URL + "\x00" + c.Address.String())
		}
	}
	const bits = 52 // so many fit into a float64 with a half added, so that no number is 0 or 1
	drawn := (float64(mixed(uint64(key)^c.hash)>>(64-bits)) + 0.5) / (1 << bits)
	return -c.weight / math.Log(drawn)
}
