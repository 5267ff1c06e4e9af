package upstream

// leastInFlight compares two endpoints, and takes the one that has fewer calls open for its weight (the power of two
// choices). The first is the next in turn, so that weights are followed to the call while nothing is busy; the second is
// drawn, so that calls spread where all gateways see the same.
type leastInFlight struct{ random func() float64 }

func (s leastInFlight) choose(from []candidate, _ Key) *Endpoint {
	first, total := nextInTurn(from)
	second := s.another(from, first, total-from[first].weight)
	if from[second].load() < from[first].load() {
		return from[second].Endpoint
	}
	return from[first].Endpoint
}

// another draws an endpoint besides the first by weight, of which the others have so much in all; the first where it is
// alone.
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
