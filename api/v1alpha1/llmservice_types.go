package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LLMService describes an LLM service: the servers that it calls, the routes that it answers, and how it runs. The operator
// turns it into an autoscaled Deployment of gateways. Its name is a DNS label of at most 50 characters that begins with a
// letter, because its children and its host name derive from it. It must not be default or kubernetes, which Kubernetes uses.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=llmservices,scope=Namespaced,shortName=llms,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.config.revision`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.gatewayVersion`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label that begins with a letter, of at most 50 characters"
// +kubebuilder:validation:XValidation:rule="!(self.metadata.name in ['default', 'kubernetes'])",message="metadata.name must not be default or kubernetes: Kubernetes has objects of these names, so the service's children could not use them"
type LLMService struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the service that the user wants.
	// +required
	Spec LLMServiceSpec `json:"spec,omitzero"`

	// status is the state that the operator observed. observedGeneration is -1 until an operator has seen the object.
	// +optional
	// +kubebuilder:default={}
	Status LLMServiceStatus `json:"status,omitzero"`
}

// LLMServiceSpec describes the service that the user wants.
//
// +kubebuilder:validation:XValidation:rule="!has(self.scaling) || !has(self.runtime) || !has(self.runtime.maxInFlight) || self.scaling.metrics.all(m, !has(m.averageValue) || m.averageValue < self.runtime.maxInFlight)",message="scaling.metrics: averageValue must be below runtime.maxInFlight, which a replica never exceeds: otherwise the service never scales up"
// +kubebuilder:validation:XValidation:rule="!has(self.scaling) || !has(self.runtime) || !has(self.runtime.resources) || !has(self.runtime.resources.limits) || !has(self.runtime.resources.limits.cpu) || double(self.scaling.metrics.map(m, has(m.averageUtilization) ? m.averageUtilization : 0).max()) * quantity(string(has(self.runtime.resources.requests) && has(self.runtime.resources.requests.cpu) ? self.runtime.resources.requests.cpu : self.runtime.resources.limits.cpu)).asApproximateFloat() < quantity(string(self.runtime.resources.limits.cpu)).asApproximateFloat() * 100.0",message="scaling.metrics: averageUtilization must be below runtime.resources.limits.cpu in percent of requests.cpu (100 if only the limit is set): otherwise the service never scales up"
// +kubebuilder:validation:XValidation:rule="!has(self.routes) || !has(self.runtime) || !has(self.runtime.maxStreamDuration) || self.routes.all(r, !has(r.maxStreamDuration) || duration(r.maxStreamDuration) <= duration(self.runtime.maxStreamDuration))",message="routes: maxStreamDuration must not exceed runtime.maxStreamDuration, which ends each stream"
type LLMServiceSpec struct {
	// upstreams are the servers that this service calls. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Upstreams []Upstream `json:"upstreams,omitempty"`

	// models are the models that the OpenAI-compatible API under /v1 serves. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Models []Model `json:"models,omitempty"`

	// functions are lists of steps that routes and other functions call, and that models call as tools. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Functions []Function `json:"functions,omitempty"`

	// dependencies are functions that run in order before every route, before the route's own dependencies, and may refuse the
	// request. Templates of routes read their results as dependencies.NAME. They do not run for models that upstreams answer. At
	// most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Dependencies []ServiceDependency `json:"dependencies,omitempty"`

	// routes are the service's own typed endpoints. At most 64, each with its own path and method.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +listMapKey=method
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Routes []Route `json:"routes,omitempty"`

	// openAPI describes the service in its OpenAPI document.
	// +optional
	OpenAPI *OpenAPIInfo `json:"openAPI,omitempty"`

	// runtime configures the replicas.
	// +optional
	// +kubebuilder:default={}
	Runtime *Runtime `json:"runtime,omitempty"`

	// scaling lets a HorizontalPodAutoscaler write replicas. Without it, users may set replicas, also through the scale
	// subresource.
	// +optional
	Scaling *Scaling `json:"scaling,omitempty"`

	// replicas is the wanted number of gateways, from 0 to 1000. Default: 1. If scaling is set, the HorizontalPodAutoscaler
	// writes it through the scale subresource.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`

	// paused stops the operator from changing anything that belongs to the service: it writes and deletes no object, and follows
	// no change of replicas. It goes on writing the status. Default: false.
	// +optional
	Paused *bool `json:"paused,omitempty"`

	// exposure is how clients reach the service.
	// +optional
	// +kubebuilder:default={}
	Exposure *Exposure `json:"exposure,omitempty"`

	// monitoring makes objects of the Prometheus Operator for this service, if the cluster has it. Default: none.
	// +optional
	Monitoring *Monitoring `json:"monitoring,omitempty"`
}

// LLMServiceList is a list of LLMServices.
//
// +kubebuilder:object:root=true
type LLMServiceList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the LLMServices.
	Items []LLMService `json:"items"`
}
