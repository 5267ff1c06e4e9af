package v1alpha1

// Exposure says how clients reach the service.
type Exposure struct {
	// service is the Service in front of the replicas.
	// +optional
	// +kubebuilder:default={}
	Service *ServiceExposure `json:"service,omitempty"`

	// httpRoute makes an HTTPRoute of the Gateway API, if the cluster has it. Default: none.
	// +optional
	HTTPRoute *HTTPRouteExposure `json:"httpRoute,omitempty"`

	// ingress makes an Ingress. Default: none.
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`

	// networkPolicy makes a NetworkPolicy for the gateways' pods. Default: none, and any pod may reach them.
	// +optional
	NetworkPolicy *NetworkPolicyExposure `json:"networkPolicy,omitempty"`
}

// ServiceExposure describes the Service in front of the replicas. Its type is ClusterIP.
type ServiceExposure struct {
	// port is the Service's port, from 1 to 65535. Default: 80.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}
