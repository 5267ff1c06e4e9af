package render

import "regexp"

type serviceMonitorSpec struct {
	Selector monitorSelector `json:"selector"`
	Scrapes  []scrape        `json:"endpoints"`
}

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=servicemonitors,verbs=get;list;watch;create;patch;delete

func serviceMonitor(in Input) ([]Child, error) {
	wanted := valueOf(in.Service.Spec.Monitoring).ServiceMonitor
	if wanted == nil {
		return nil, nil
	}
	every, err := interval(wanted, "serviceMonitor")
	if err != nil {
		return nil, err
	}
	// A headless Service has the same labels and the same pods, and each would be scraped twice.
	one := relabeled{
		SourceLabels: []string{"__meta_kubernetes_service_name"}, Action: "keep", Regex: regexp.QuoteMeta(in.Service.Name),
	}
	return []Child{customChild(monitoringKind("ServiceMonitor"), in.Service, wanted.Labels, serviceMonitorSpec{
		Selector: monitorSelector{SelectorLabels(in.Service)},
		Scrapes:  []scrape{{TargetPort: portNameAdmin, Interval: every, Relabelings: []relabeled{one, named}}},
	})}, nil
}
