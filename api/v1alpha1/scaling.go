package v1alpha1

// MetricType selects the measure of a metric.
//
// +kubebuilder:validation:Enum=InFlight;CPU
type MetricType string

// The measures of a metric.
const (
	// MetricInFlight is the number of requests being served by all replicas, including open streams.
	MetricInFlight MetricType = "InFlight"
	// MetricCPU is the CPU use of the gateway containers.
	MetricCPU MetricType = "CPU"
)

// Scaling configures the HorizontalPodAutoscaler that chooses the number of replicas.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="minReplicas must not exceed maxReplicas"
type Scaling struct {
	// minReplicas is the minimum number of replicas, from 1 to 1000. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// maxReplicas is the maximum number of replicas, from 1 to 1000.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxReplicas int32 `json:"maxReplicas,omitempty"`

	// metrics each propose a number of replicas, and the greatest one is used. From 1 to 8.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Metrics []Metric `json:"metrics,omitempty"`

	// behavior limits how fast the number of replicas changes: exactly the behavior of a HorizontalPodAutoscaler
	// (autoscaling/v2).
	// +optional
	Behavior *ScalingBehavior `json:"behavior,omitempty"`
}

// Metric is one measure to scale on.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'InFlight' ? has(self.averageValue) : !has(self.averageValue)",message="averageValue is required when type is InFlight, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="self.type == 'CPU' ? has(self.averageUtilization) : !has(self.averageUtilization)",message="averageUtilization is required when type is CPU, and forbidden otherwise"
type Metric struct {
	// name identifies the metric: a DNS label of at most 63 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// type selects the measure: InFlight or CPU.
	// +unionDiscriminator
	// +required
	Type MetricType `json:"type,omitempty"`

	// averageValue is the target number of requests in flight per replica, from 1 to 100000. It must be below the number that a
	// replica serves at the same time: otherwise none is added. Only for InFlight.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	AverageValue int32 `json:"averageValue,omitempty"`

	// averageUtilization is the target CPU use of a replica, in percent of its CPU request, from 1 to 1000. It must be
	// below the CPU limit, and needs runtime.resources.requests.cpu or a LimitRange that sets it. Only for CPU.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	AverageUtilization int32 `json:"averageUtilization,omitempty"`
}
