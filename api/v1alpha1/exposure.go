package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// Exposure is how clients reach the service.
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

// ServiceExposure describes the Service in front of the replicas.
//
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerClass) || has(self.type) && self.type == 'LoadBalancer'",message="loadBalancerClass is allowed only if type is LoadBalancer"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'LoadBalancer' || !has(oldSelf.type) || oldSelf.type != 'LoadBalancer' || has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == oldSelf.loadBalancerClass)",message="loadBalancerClass cannot change while type is LoadBalancer: set another type first"
// +kubebuilder:validation:XValidation:rule="!has(self.externalTrafficPolicy) || has(self.type) && self.type != 'ClusterIP'",message="externalTrafficPolicy is allowed only if type is NodePort or LoadBalancer"
// +kubebuilder:validation:XValidation:rule="!has(self.ipFamilies) || self.ipFamilies.size() < 2 || has(self.ipFamilyPolicy) && self.ipFamilyPolicy != 'SingleStack'",message="two ipFamilies need an ipFamilyPolicy of PreferDualStack or RequireDualStack"
// +kubebuilder:validation:XValidation:rule="!has(self.ipFamilies) || !has(oldSelf.ipFamilies) || self.ipFamilies[0] == oldSelf.ipFamilies[0]",message="the first of ipFamilies cannot change: Kubernetes would refuse the Service"
// +kubebuilder:validation:XValidation:rule="!has(self.ports) || self.ports.all(p, p.port != self.port && self.ports.exists_one(q, q.port == p.port))",message="each port must have a number of its own, other than that of port"
type ServiceExposure struct {
	// port is the Service's port, from 1 to 65535. Default: 80.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// type is ClusterIP, NodePort or LoadBalancer. Default: ClusterIP.
	// +optional
	Type ServiceType `json:"type,omitempty"`

	// labels are added to the Service. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are added to the Service, such as those for a cloud's load balancer. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// loadBalancerClass is the load balancer's class, such as service.k8s.aws/nlb, of at most 253 characters. Default: the cluster's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`

	// externalTrafficPolicy is Cluster, or Local, which keeps the client's address and skips nodes without a replica. Default:
	// Cluster.
	// +optional
	ExternalTrafficPolicy ExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// trafficDistribution prefers replicas in the client's zone (PreferSameZone) or on its node (PreferSameNode). Default: none.
	// +optional
	TrafficDistribution TrafficDistribution `json:"trafficDistribution,omitempty"`

	// sessionAffinity is None, or ClientIP, which keeps a client at one replica. Default: None.
	// +optional
	SessionAffinity SessionAffinity `json:"sessionAffinity,omitempty"`

	// ipFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack. Default: SingleStack.
	// +optional
	IPFamilyPolicy IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`

	// ipFamilies are IPv4, IPv6 or both, at most 2. The first cannot change. Default: the cluster's.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:XValidation:rule="self.size() < 2 || self[0] != self[1]",message="ipFamilies must differ"
	IPFamilies []IPFamily `json:"ipFamilies,omitempty"`

	// ports are further ports, such as a sidecar's in runtime.podTemplate. At most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Ports []ServicePort `json:"ports,omitempty"`

	// headless adds a Service without an address, NAME-headless, for clients that resolve the replicas themselves. Default: false.
	// +optional
	Headless *bool `json:"headless,omitempty"`
}

// A port of the Service.
type ServicePort struct {
	// name is the port's name, other than http: at most 15 lower-case letters, digits and dashes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z]([a-z0-9]|-[a-z0-9])*$`
	// +kubebuilder:validation:XValidation:rule="self != 'http'",message="http is the name of the Service's own port"
	Name string `json:"name,omitempty"`

	// port is the port's number, from 1 to 65535.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// targetPort is the name or number of a container's port, other than admin and 9090. Default: http, the gateway's.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 && self != 9090 : self != 'admin'",message="targetPort must be the name or the number of a container's port, other than admin and 9090"
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`
}

// The type of a Service.
//
// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
type ServiceType string

// Says which nodes take connections from outside of the cluster.
//
// +kubebuilder:validation:Enum=Cluster;Local
type ExternalTrafficPolicy string

// Says which replicas a client's connections prefer.
//
// +kubebuilder:validation:Enum=PreferSameZone;PreferSameNode
type TrafficDistribution string

// Says which connections go to the same replica.
//
// +kubebuilder:validation:Enum=None;ClientIP
type SessionAffinity string

// Says how many IP families a Service has.
//
// +kubebuilder:validation:Enum=SingleStack;PreferDualStack;RequireDualStack
type IPFamilyPolicy string

// The family of an IP address.
//
// +kubebuilder:validation:Enum=IPv4;IPv6
type IPFamily string
