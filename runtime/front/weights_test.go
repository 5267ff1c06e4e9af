package front

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/test/seed"
)

func weighted(weights ...int) *Model {
	m := &Model{Weights: weights}
	for range weights {
		m.Upstreams = append(m.Upstreams, upstream.New(upstream.Options{}))
	}
	return m
}

// places are the upstreams' indices in the model's list, in the order in which they are asked.
func (m *Model) places(draw func(int) int) []int {
	var places []int
	for _, u := range m.order(draw) {
		places = append(places, slices.Index(m.Upstreams, u))
	}
	return places
}

// Each number that may be drawn stands for one upstream, and each upstream is asked once.
func TestUpstreamsAreDrawnByWeight(t *testing.T) {
	for _, tt := range []struct {
		weights []int
		numbers []int
		want    []int
	}{
		{[]int{2, 0, 3}, []int{0, 0}, []int{0, 2, 1}},
		{[]int{2, 0, 3}, []int{1, 2}, []int{0, 2, 1}},
		{[]int{2, 0, 3}, []int{2, 1}, []int{2, 0, 1}},
		{[]int{2, 0, 3}, []int{4, 0}, []int{2, 0, 1}},
		{[]int{0, 0, 1, 0}, []int{0}, []int{2, 0, 1, 3}},
		{[]int{1, 1, 1}, []int{1, 1, 0}, []int{1, 2, 0}},
	} {
		m := weighted(tt.weights...)
		if got := m.places(func(int) int {
			n := tt.numbers[0]
			tt.numbers = tt.numbers[1:]
			return n
		}); !slices.Equal(got, tt.want) {
			t.Errorf("%v: asked in the order %v, want %v", tt.weights, got, tt.want)
		}
	}
	m := weighted(1, 1)
	m.Weights = nil
	if got := m.places(nil); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("without weights: %v", got)
	}
}

// The shares follow the weights, both among those that are asked first and among those that follow a given one.
func TestSharesOfUpstreams(t *testing.T) {
	const requests = 20_000
	random := rand.New(rand.NewPCG(seed.Of(t), 0))
	m := weighted(6, 3, 1, 0)
	first, second := make([]float64, 4), make([]float64, 4)
	for range requests {
		places := m.places(random.IntN)
		first[places[0]]++
		if places[0] == 0 {
			second[places[1]]++
		}
	}
	for i, want := range []float64{0.6, 0.3, 0.1, 0} {
		if got := first[i] / requests; math.Abs(got-want) > 0.03 {
			t.Errorf("upstream %d is asked first by %.3f of the requests, want %.2f", i, got, want)
		}
	}
	for i, want := range []float64{0, 0.75, 0.25, 0} {
		if got := second[i] / first[0]; math.Abs(got-want) > 0.03 {
			t.Errorf("upstream %d follows the first by %.3f of the requests, want %.2f", i, got, want)
		}
	}
}
