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

// registered adds a counter to those that the manager serves.
func registered(counter *prometheus.CounterVec) *prometheus.CounterVec {
	metrics.Registry.MustRegister(counter)
	return counter
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
