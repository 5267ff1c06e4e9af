// Package report makes a page of what was measured: tables, ratios, and a plot.
package report

import (
	"math"
	"strconv"

	"github.com/llmservice/llmservice/bench/bed"
)

// Metric is one figure of each row. Smaller is better.
type Metric struct {
	// Key is what rows call it.
	Key string
	// Title heads its column, and Unit says in which unit it is.
	Title, Unit string
}

// The metrics of a run.
var (
	Unary64   = Metric{"unary64", "64 B", "µs"}
	Unary8K   = Metric{"unary8k", "8 KiB", "µs"}
	Unary128K = Metric{"unary128k", "128 KiB", "µs"}
	Steady    = Metric{"steady", "64 B, steady", "µs"}
	Event     = Metric{"event", "event", "µs"}
	Churn     = Metric{"churn", "new connection", "µs"}
	Stream    = Metric{"stream", "held stream", "KiB"}
	Rest      = Metric{"rest", "at rest", "MiB"}
	P50       = Metric{"p50", "added p50", "µs"}
	P99       = Metric{"p99", "added p99", "µs"}
	First50   = Metric{"first50", "first byte p50", "µs"}
	First99   = Metric{"first99", "first byte p99", "µs"}
	Start     = Metric{"start", "start", "ms"}
)

// Row is what was measured of one peer.
type Row struct {
	Name string
	// Ours is set if it is this gateway.
	Ours bool
	// Aside is set if the plot leaves it out.
	Aside bool
	// About is its version, and Notes says what is different in its load.
	About, Notes string
	// Missing says why there are no figures, or not all; empty if there are.
	Missing string
	// Figures are those of each round, by the keys of metrics.
	Figures map[string][]float64
}

// Add adds a round's figure.
func (r *Row) Add(m Metric, value float64) {
	if r.Figures == nil {
		r.Figures = map[string][]float64{}
	}
	r.Figures[m.Key] = append(r.Figures[m.Key], value)
}

// Figure is the median of the rounds; NaN if there are none.
func (r *Row) Figure(m Metric) float64 { return bed.Median(r.Figures[m.Key]) }

// Ratio is how many times as large a figure is as that of another row; NaN if one of them is missing, or is not above 0, as a
// difference between two measurements can be.
func Ratio(of, to *Row, m Metric) float64 {
	if of == nil || to == nil {
		return math.NaN()
	}
	a, b := of.Figure(m), to.Figure(m)
	if !(a > 0) || !(b > 0) {
		return math.NaN()
	}
	return a / b
}

// Find returns the row of a name, if it has figures; nil otherwise.
func Find(rows []*Row, name string) *Row {
	for _, r := range rows {
		if r.Name == name && len(r.Figures) > 0 {
			return r
		}
	}
	return nil
}

// number writes three digits, and no fraction of larger numbers; a dash for a figure that is missing.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.Abs(v) < 0.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case math.Abs(v) < 99.5:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if v < 0 {
		return "-" + digits
	}
	return digits
}

// times writes a ratio.
func times(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 2, 64) + "×"
	}
	return number(v) + "×"
}
