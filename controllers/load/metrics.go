package load

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var streamsCutTotal = registered(prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "llmservice_streams_cut_total",
	Help: "Streams that a gateway had open and never ended, by the way it went. Counted by the leading manager.",
}, []string{"namespace", "name", "reason"}))

var readingAge = registered(prometheus.NewHistogram(prometheus.HistogramOpts{
	Name:    "llmservice_reading_age_seconds",
	Help:    "How old what a gateway said of its load had become when it was read again.",
	Buckets: []float64{1.1, 1.5, 2, 3, 5, 10, 30},
}))

// registered adds a metric to those that the manager serves.
func registered[C prometheus.Collector](metric C) C {
	metrics.Registry.MustRegister(metric)
	return metric
}

// cutCounter counts cuts where this manager leads: every replica sees them, and sums over replicas shall be true.
type cutCounter struct{ leading <-chan struct{} }

func (c *cutCounter) add(service types.NamespacedName, reason string, count int64) {
	if c.leading != nil {
		select {
		case <-c.leading:
		default:
			return
		}
	}
	streamsCutTotal.WithLabelValues(service.Namespace, service.Name, reason).Add(float64(count))
}
