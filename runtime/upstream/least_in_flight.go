package upstream

// leastInFlight compares two endpoints, and takes the one with fewer open calls for its weight (the power of two choices). The
// first is the next in turn, so that the weights are followed exactly while nothing is busy. The second is random, so that
// calls spread even if all gateways see the same state.
type leastInFlight struct{ random func() float64 }

func (s leastInFlight) choose(from []candidate, _ Key) *Endpoint {
	first, total := nextInTurn(from)
	second := s.another(from, first, total-from[first].weight)
	if from[second].load() < from[first].load() {
		return from[second].Endpoint
	}
	return from[first].Endpoint
}

// another picks a random endpoint by weight, other than the first; weight is the sum of all. If there is only the first, it
// returns that.
func (s leastInFlight) another(from []candidate, first int, weight float64) int {
	drawn, last := s.random()*weight, first
	for i := range from {
		if i == first {
			continue
		}
		if last = i; drawn < from[i].weight {
			break
		}
		drawn -= from[i].weight
	}
	return last
}
