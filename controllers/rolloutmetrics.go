package controllers

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/llmservice/llmservice/controllers/rollout"
)

var rolloutsDesc = prometheus.NewDesc("llmservice_operator_rollouts",
	"LLMServices whose pods the operator itself wants to replace, by state: waiting, underway, and failed, which are some of those "+
		"that are under way; and lost, those that cannot be looked at, so that nobody waits for them. 0 where this manager does not "+
		"lead.",
	[]string{"state"}, nil)

// reportedRollouts are the turns of the manager of this process; none if it limits nothing.
var reportedRollouts = func() *rolloutMetrics {
	r := &rolloutMetrics{}
	metrics.Registry.MustRegister(r)
	return r
}()

// rolloutMetrics counts when it is asked, and not with each reconcile.
type rolloutMetrics struct{ atomic.Pointer[rollout.Turns] }

var _ prometheus.Collector = (*rolloutMetrics)(nil)

// Describe implements prometheus.Collector.
func (r *rolloutMetrics) Describe(to chan<- *prometheus.Desc) { to <- rolloutsDesc }

// Collect implements prometheus.Collector.
func (r *rolloutMetrics) Collect(to chan<- prometheus.Metric) {
	turns := r.Load()
	if turns == nil {
		return
	}
	counts := turns.Counts()
	for state, count := range map[string]int{
		"waiting": counts.Waiting, "underway": counts.UnderWay, "failed": counts.Failed, "lost": counts.Lost,
	} {
		to <- prometheus.MustNewConstMetric(rolloutsDesc, prometheus.GaugeValue, float64(count), state)
	}
}
