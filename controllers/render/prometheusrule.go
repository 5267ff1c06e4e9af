package render

import (
	_ "embed"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// alerts are groups of rules about one service, whose labels stand in them as @service and @name.
//
//go:embed alerts.yaml
var alerts string

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=prometheusrules,verbs=get;list;watch;create;patch;delete

func prometheusRule(in Input) ([]Child, error) {
	wanted := valueOf(in.Service.Spec.Monitoring).PrometheusRule
	if wanted == nil {
		return nil, nil
	}
	s := in.Service
	// Both are DNS labels, which neither YAML nor PromQL reads as anything else.
	scoped := strings.NewReplacer(
		"@service", fmt.Sprintf("namespace=%q,service=%q", s.Namespace, s.Name),
		"@name", fmt.Sprintf("namespace=%q,name=%q", s.Namespace, s.Name),
	).Replace(alerts)
	var spec map[string]any
	if err := yaml.Unmarshal([]byte(scoped), &spec); err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	return []Child{customChild(monitoringKind("PrometheusRule"), s, wanted.Labels, spec)}, nil
}
