package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llmservice/llmservice/runtime/llm"
)

// Source is how it is known what a call took.
type Source string

// The sources.
const (
	// Reported is by the upstream.
	Reported Source = "reported"
	// Estimated is by the gateway, of a call whose upstream reported nothing.
	Estimated Source = "estimated"
)

// By says whose tokens are counted. All of it is from the config, so that clients cannot create labels.
type By struct {
	// Route is the path of the route, or of the endpoint that was asked, and Model the name that a client asked for, if it did.
	Route, Model string
	Upstream     string
	Source       Source
}

func (b By) labels() []string { return []string{b.Route, b.Model, b.Upstream, string(b.Source)} }

// spending counts tokens and what they cost.
type spending struct {
	tokens, cost *prometheus.CounterVec
	tokensOf     *series[typed, prometheus.Counter]
	costOf       *series[By, prometheus.Counter]
}

// typed says which tokens are counted.
type typed struct {
	By

	kind string
}

func newSpending(counter func(name, help string, labels ...string) *prometheus.CounterVec) spending {
	s := spending{
		tokens: counter("tokens_total", "Tokens of calls to models, by type; each is of one type only.",
			"route", "model", "upstream", "source", "type"),
		cost: counter("cost_total", "Cost of calls to upstreams with prices, in the currency of these.",
			"route", "model", "upstream", "source"),
	}
	s.tokensOf = seriesOf(func(t typed) prometheus.Counter { return s.tokens.WithLabelValues(append(t.labels(), t.kind)...) })
	s.costOf = seriesOf(func(by By) prometheus.Counter { return s.cost.WithLabelValues(by.labels()...) })
	return s
}

// Tokens counts those of a call.
func (m *Metrics) Tokens(by By, t llm.Tokens) {
	input, cached, output, reasoning := t.Parts()
	for _, part := range [...]struct {
		kind   string
		tokens int64
	}{{"input", input}, {"cached_input", cached}, {"output", output}, {"reasoning", reasoning}} {
		if part.tokens > 0 {
			m.spending.tokensOf.of(typed{by, part.kind}).Add(float64(part.tokens))
		}
	}
}

// Cost counts what a call cost.
func (m *Metrics) Cost(by By, cost float64) { m.spending.costOf.of(by).Add(cost) }
