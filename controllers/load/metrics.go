package load

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var streamsCutTotal = promauto.With(metrics.Registry).NewCounterVec(prometheus.CounterOpts{
	Name: "llmservice_streams_cut_total",
	Help: "Streams that a gateway left open when it ended, by reason. Counted by the leading manager.",
}, []string{"namespace", "name", "reason"})

var readingAge = promauto.With(metrics.Registry).NewHistogram(prometheus.HistogramOpts{
	Name:    "llmservice_reading_age_seconds",
	Help:    "Age of a gateway's reported load when it was read again.",
	Buckets: []float64{1.1, 1.5, 2, 3, 5, 10, 30},
})

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
