package upstream

// roundRobin takes the endpoints in turn, each in proportion to its weight.
type roundRobin struct{}

func (roundRobin) choose(from []candidate, _ Key) *Endpoint {
	next, _ := nextInTurn(from)
	return from[next].Endpoint
}

// nextInTurn returns the endpoint whose turn it is, and the weight of all. In each round, every endpoint comes closer to its
// turn by its weight, and the closest has it. So the turns of a heavy endpoint are spread between those of the others.
func nextInTurn(from []candidate) (next int, total float64) {
	for i := range from {
		from[i].turns += from[i].weight
		total += from[i].weight
		if from[i].turns > from[next].turns {
			next = i
		}
	}
	from[next].turns -= total
	return next, total
}
