package controllers

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var conditionDesc = prometheus.NewDesc("llmservice_condition",
	"1 for each condition in the status of an LLMService, with its status. Reported by the leading manager.",
	[]string{"namespace", "name", "type", "status"}, nil)

// reportedConditions are those of all services that this process has reported on; only a leader does.
var reportedConditions = func() *conditionMetrics {
	c := &conditionMetrics{services: map[types.NamespacedName][]metav1.Condition{}}
	metrics.Registry.MustRegister(c)
	return c
}()

// conditionMetrics has one series for each condition, so that a service has at most as many as its status has conditions. A status
// that a condition had before has none.
type conditionMetrics struct {
	mu       sync.Mutex
	services map[types.NamespacedName][]metav1.Condition
}

var _ prometheus.Collector = (*conditionMetrics)(nil)

// Describe implements prometheus.Collector.
func (c *conditionMetrics) Describe(to chan<- *prometheus.Desc) { to <- conditionDesc }

// Collect implements prometheus.Collector.
func (c *conditionMetrics) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for service, conditions := range c.services {
		for i := range conditions {
			to <- prometheus.MustNewConstMetric(conditionDesc, prometheus.GaugeValue, 1,
				service.Namespace, service.Name, conditions[i].Type, string(conditions[i].Status))
		}
	}
}

func (c *conditionMetrics) set(service types.NamespacedName, conditions []metav1.Condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := slices.Clone(conditions)
	for i := range kept {
		kept[i] = metav1.Condition{Type: kept[i].Type, Status: kept[i].Status} // no message is kept alive
	}
	c.services[service] = kept
}

func (c *conditionMetrics) forget(service types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.services, service)
}
