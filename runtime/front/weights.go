package front

import "github.com/llmservice/llmservice/runtime/upstream"

// order is the order in which the upstreams are asked for one request. Those with a weight come first; each place is drawn by
// weight among those that are left, so that requests that fail over are split by weight, too. The others keep their places.
// draw returns a number below n, all with equal probability.
func (m *Model) order(draw func(n int) int) []*upstream.Upstream {
	if m.Weights == nil {
		return m.Upstreams
	}
	left, sum := make([]int, len(m.Weights)), 0
	for i, w := range m.Weights {
		left[i] = w
		sum += w
	}
	ordered := make([]*upstream.Upstream, 0, len(m.Upstreams))
	for sum > 0 {
		at := drawn(left, draw(sum))
		ordered = append(ordered, m.Upstreams[at])
		sum -= left[at]
		left[at] = 0
	}
	for i, w := range m.Weights {
		if w == 0 {
			ordered = append(ordered, m.Upstreams[i])
		}
	}
	return ordered
}

// drawn is the index of the weight into whose part of the sum of all weights the number falls.
func drawn(weights []int, number int) int {
	for i, w := range weights {
		if number < w {
			return i
		}
		number -= w
	}
	return len(weights) - 1
}
