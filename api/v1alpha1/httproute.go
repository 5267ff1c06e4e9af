package v1alpha1

// HTTPRouteExposure makes an HTTPRoute of the Gateway API to the Service, without timeouts: the gateways bound each request and
// stream themselves.
type HTTPRouteExposure struct {
	// parentRefs are the Gateways that the route attaches to, from 1 to 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, p.name == q.name && p.kind == q.kind && p.group == q.group && has(p.__namespace__) == has(q.__namespace__) && (!has(p.__namespace__) || p.__namespace__ == q.__namespace__) && (!has(p.sectionName) || has(q.sectionName) && p.sectionName == q.sectionName)))",message="references to the same parent must each have a sectionName of its own"
	ParentRefs []RouteParent `json:"parentRefs,omitempty"`

	// hostnames are the route's, each of at most 253 characters, such as assistant.example.com; *. in front stands for any label.
	// At most 16. status.url has the first one that is whole. Default: those of the listeners.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Hostnames []string `json:"hostnames,omitempty"`

	// scheme is http or https, as clients use it with these hostnames: status.url has it. Default: https.
	// +optional
	// +kubebuilder:default=https
	Scheme URLScheme `json:"scheme,omitempty"`
}

// The scheme of a URL.
//
// +kubebuilder:validation:Enum=http;https
type URLScheme string

// A parent is what a route attaches to.
type RouteParent struct {
	// group is the parent's API group, at most 253 characters. Default: that of the Gateway API.
	// +optional
	// +kubebuilder:default="gateway.networking.k8s.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Group string `json:"group,omitempty"`

	// kind is the parent's kind, at most 63 characters. Default: Gateway.
	// +optional
	// +kubebuilder:default=Gateway
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Kind string `json:"kind,omitempty"`

	// namespace is the parent's namespace, at most 63 characters. Default: that of the LLMService.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// name is the parent's name, at most 253 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// sectionName is the name of the parent's listener, at most 253 characters. Default: all of them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SectionName string `json:"sectionName,omitempty"`

	// port is the port of the parent's listeners, from 1 to 65535. Default: any.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}
