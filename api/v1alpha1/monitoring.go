package v1alpha1

// Monitoring makes objects of the Prometheus Operator, so that a Prometheus scrapes the gateways and watches them. An installation
// of the operator that scrapes all services needs none of them.
type Monitoring struct {
	// podMonitor makes a PodMonitor, which scrapes each replica's admin port. Default: none.
	// +optional
	PodMonitor *Monitor `json:"podMonitor,omitempty"`

	// serviceMonitor makes a ServiceMonitor, for a Prometheus that selects no PodMonitors: one of the two is enough. It scrapes the
	// same port, which the Service does not have. Default: none.
	// +optional
	ServiceMonitor *Monitor `json:"serviceMonitor,omitempty"`

	// prometheusRule makes a PrometheusRule with the alerts of docs/production.md for this service. Default: none.
	// +optional
	PrometheusRule *MonitoringRule `json:"prometheusRule,omitempty"`
}

// Monitor is how a Prometheus finds and scrapes the replicas.
type Monitor struct {
	// labels are added to the object, such as release: kube-prometheus-stack, by which a Prometheus selects it. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// interval is the time between two scrapes of a replica, at least 1s, such as 30s. Default: that of the Prometheus.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be at least 1s"
	Interval Duration `json:"interval,omitempty"`
}

// MonitoringRule is how a Prometheus finds the alerts.
type MonitoringRule struct {
	// labels are added to the object, such as release: kube-prometheus-stack, by which a Prometheus selects it. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]LabelValue `json:"labels,omitempty"`
}
