package bed

import (
	"cmp"
	"math"
	"slices"
)

// Percentile returns the smallest of the values than which at most so many percent are not larger (the nearest rank); the
// zero value if there are none. It sorts the values.
func Percentile[T cmp.Ordered](values []T, percent float64) (none T) {
	if len(values) == 0 {
		return none
	}
	slices.Sort(values)
	rank := int(math.Ceil(percent / 100 * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// Median is the middle of the values, or the mean of the two in the middle; NaN if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
