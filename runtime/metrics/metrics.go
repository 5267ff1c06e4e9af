// Package metrics holds the figures of one gateway process: what Prometheus scrapes and what the status reports.
package metrics

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Metrics counts. Its methods may be called by many goroutines.
type Metrics struct {
	Registry *prometheus.Registry

	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	firstContent *prometheus.HistogramVec
	streams      *prometheus.CounterVec
	attempts     *prometheus.CounterVec
	reloads      *prometheus.CounterVec
	panics       prometheus.Counter
	invalid      *prometheus.CounterVec
	spending     spending
	revision     *prometheus.GaugeVec

	answered *series[answered, prometheus.Counter]
	took     *series[string, prometheus.Observer]
	began    *series[string, prometheus.Observer]
	ended    *series[[2]string, prometheus.Counter]
	called   *series[[2]string, prometheus.Counter]

	opened, done, failed, cancelled atomic.Int64
}

// Model answers take from milliseconds to minutes.
var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// Load reports figures of the moment.
type Load struct {
	// InFlight counts the requests being served, MaxInFlight those that may be.
	InFlight, MaxInFlight func() int64
	// Budget is how many bytes of memory requests may reserve, and Reserved how many they have.
	Budget, Reserved func() int64
	// Refused counts the reservations for which there was no room.
	Refused func() int64
	// Unreadable counts the secrets of the config that cannot be read.
	Unreadable func() int64
	// Upstreams are those of the config being served.
	Upstreams func() []report.Upstream
	// Endpoints are those of these upstreams.
	Endpoints func() []Endpoint
}

// New returns metrics in a new registry.
func New(load Load) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "llmservice", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(
			prometheus.HistogramOpts{Namespace: "llmservice", Name: name, Help: help, Buckets: seconds}, []string{"route"})
	}
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: counter("requests_total",
			"Requests answered, by route and status; status 0 means that the client left.", "route", "status"),
		duration:     histogram("request_duration_seconds", "Time from the checked request to the end of the answer."),
		firstContent: histogram("first_content_seconds", "Time from the checked request to a stream's first content event."),
		streams:      counter("streams_total", "Streams ended, by route and result.", "route", "result"),
		attempts: counter("upstream_attempts_total",
			"Calls to upstreams, by upstream and failure (none for success).", "upstream", "failure"),
		reloads: counter("config_reloads_total", "Configs read, by result.", "result"),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "llmservice", Name: "panics_total", Help: "Requests that ended because of a fault of the gateway.",
		}),
		invalid:  counter("invalid_answers_total", "Answers that broke their route's response schema.", "route"),
		spending: newSpending(counter),
		revision: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "llmservice", Name: "config_revision", Help: "1 for the revision being served.",
		}, []string{"revision"}),
	}
	m.answered = seriesOf(func(a answered) prometheus.Counter {
		return m.requests.WithLabelValues(a.route, strconv.Itoa(a.status))
	})
	m.took = seriesOf(func(route string) prometheus.Observer { return m.duration.WithLabelValues(route) })
	m.began = seriesOf(func(route string) prometheus.Observer { return m.firstContent.WithLabelValues(route) })
	m.ended = seriesOf(func(by [2]string) prometheus.Counter { return m.streams.WithLabelValues(by[:]...) })
	m.called = seriesOf(func(by [2]string) prometheus.Counter { return m.attempts.WithLabelValues(by[:]...) })
	// The first refusal is an increase, too.
	m.reloads.WithLabelValues("rejected")
	m.Registry.MustRegister(m.requests, m.duration, m.firstContent, m.streams, m.attempts, m.reloads, m.panics, m.invalid, m.revision,
		m.spending.tokens, m.spending.cost,
		gauge("in_flight", "Requests being served now.", load.InFlight),
		gauge("max_in_flight", "Requests that may be served at the same time.", load.MaxInFlight),
		gauge("memory_budget_bytes", "Memory that requests may reserve for large bodies and answers.", load.Budget),
		gauge("memory_reserved_bytes", "Memory that requests have reserved.", load.Reserved),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "llmservice", Name: "memory_refusals_total", Help: "Reservations of memory that did not fit.",
		}, func() float64 { return float64(load.Refused()) }),
		gauge("secrets_unreadable", "Keys and certificates that the config names and that cannot be read now.", load.Unreadable),
		&upstreams{load.Upstreams}, &endpoints{load.Endpoints},
		gauge("streams_open", "Streams that began and have not ended.", func() int64 { return m.Streams().Open }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func gauge(name, help string, value func() int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "llmservice", Name: name, Help: help},
		func() float64 { return float64(value()) })
}

// StreamBegan counts a stream; it is owed an End.
func (m *Metrics) StreamBegan() { m.opened.Add(1) }

// End counts a request's outcome.
func (m *Metrics) End(route string, o relay.Outcome) {
	m.answered.of(answered{route, o.Status}).Inc()
	m.took.of(route).Observe(o.Duration.Seconds())
	if o.FirstContent > 0 {
		m.began.of(route).Observe(o.FirstContent.Seconds())
	}
}

// answered are requests with one status.
type answered struct {
	route  string
	status int
}

// StreamEnded counts the outcome of a stream that began. One that a reply took the place of is done: its route
// meant it so.
func (m *Metrics) StreamEnded(route string, o relay.Outcome) {
	result := o.Result
	switch result {
	case relay.StreamDone, relay.Replied:
		result = relay.StreamDone
		m.done.Add(1)
	case relay.ClientLeft:
		m.cancelled.Add(1)
	case relay.StreamFailed:
		m.failed.Add(1)
	}
	m.ended.of([2]string{route, string(result)}).Inc()
}

// Attempt counts a call of an upstream.
func (m *Metrics) Attempt(upstream string, f relay.Failure) {
	kind := string(f.Kind)
	if f.Kind == relay.NoFailure {
		kind = "none"
	}
	m.called.of([2]string{upstream, kind}).Inc()
}

// Serving records the revision being served.
func (m *Metrics) Serving(revision string) {
	m.revision.Reset()
	m.revision.WithLabelValues(revision).Set(1)
	m.reloads.WithLabelValues("served").Inc()
}

// Rejected counts a config that cannot be served.
func (m *Metrics) Rejected() { m.reloads.WithLabelValues("rejected").Inc() }

// Panicked counts a request whose handling panicked.
func (m *Metrics) Panicked() { m.panics.Inc() }

// InvalidAnswer counts an answer that broke its route's response schema.
func (m *Metrics) InvalidAnswer(route string) { m.invalid.WithLabelValues(route).Inc() }

// Streams reports the counts of streams. What ended is read before what began, so that no reader sees more ended
// than begun.
func (m *Metrics) Streams() report.Streams {
	s := report.Streams{Done: m.done.Load(), Failed: m.failed.Load(), Cancelled: m.cancelled.Load()}
	s.Opened = m.opened.Load()
	s.Open = s.Opened - s.Done - s.Failed - s.Cancelled
	return s
}
