package render

import (
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// monitoringKind is a kind of the Prometheus Operator
// (https://prometheus-operator.dev/docs/api-reference/api/).
func monitoringKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: kind}
}

type monitorSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// scrape is how each replica is scraped. A PodMonitor names the port in port, and a ServiceMonitor in targetPort, because the
// Service does not have it.
type scrape struct {
	Port        string      `json:"port,omitempty"`
	TargetPort  string      `json:"targetPort,omitempty"`
	Interval    string      `json:"interval,omitempty"`
	Relabelings []relabeled `json:"relabelings"`
}

type relabeled struct {
	SourceLabels []string `json:"sourceLabels"`
	Action       string   `json:"action"`
	Regex        string   `json:"regex,omitempty"`
	TargetLabel  string   `json:"targetLabel,omitempty"`
}

// named adds the label service, which the alerts and pages use, with the service's name.
var named = relabeled{
	SourceLabels: []string{"__meta_kubernetes_pod_label_app_kubernetes_io_instance"}, Action: "replace", TargetLabel: "service",
}

// interval is written as Prometheus reads it, with its units in order.
func interval(wanted *v1alpha1.Monitor, field string) (string, error) {
	if wanted.Interval == "" {
		return "", nil
	}
	parsed, err := wanted.Interval.Parse()
	if err != nil {
		return "", fmt.Errorf("spec.monitoring.%s.interval: %w", field, err)
	}
	return model.Duration(parsed).String(), nil
}

// checkMonitoring refuses labels that Kubernetes would refuse, and those that the operator writes.
func checkMonitoring(s *v1alpha1.LLMService) config.Errors {
	wanted, at := valueOf(s.Spec.Monitoring), "monitoring."
	return slices.Concat(
		checkKeys(at+"podMonitor.labels", valueOf(wanted.PodMonitor).Labels),
		checkKeys(at+"serviceMonitor.labels", valueOf(wanted.ServiceMonitor).Labels),
		checkKeys(at+"prometheusRule.labels", valueOf(wanted.PrometheusRule).Labels),
	)
}

type podMonitorSpec struct {
	Selector monitorSelector `json:"selector"`
	Scrapes  []scrape        `json:"podMetricsEndpoints"`
}

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=podmonitors,verbs=get;list;watch;create;patch;delete

func podMonitor(in Input) ([]Child, error) {
	wanted := valueOf(in.Service.Spec.Monitoring).PodMonitor
	if wanted == nil {
		return nil, nil
	}
	every, err := interval(wanted, "podMonitor")
	if err != nil {
		return nil, err
	}
	return []Child{customChild(monitoringKind("PodMonitor"), in.Service, wanted.Labels, podMonitorSpec{
		Selector: monitorSelector{SelectorLabels(in.Service)},
		Scrapes:  []scrape{{Port: portNameAdmin, Interval: every, Relabelings: []relabeled{named}}},
	})}, nil
}
