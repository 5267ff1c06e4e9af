package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WorkersAuto derives the workers from the CPU limit, or without one from the CPU request.
const WorkersAuto = "Auto"

// Runtime configures the replicas. A change of workers, maxStreamDuration, resources, image or podTemplate replaces
// the pods; a change of maxInFlight, requestBodyLimit, requestLog or trustedProxies does not.
type Runtime struct {
	// workers is the number of requests that compute at the same instant: an integer from 1 to 64, or Auto, which is the
	// CPU limit rounded up, or without one the CPU request rounded up, and at least 2. Default: Auto.
	// +optional
	// +kubebuilder:default=Auto
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 64 : self == 'Auto'",message="workers must be an integer from 1 to 64, or Auto"
	Workers *intstr.IntOrString `json:"workers,omitempty"`

	// maxInFlight is the number of requests that a replica serves at the same time, from 1 to 100000; further ones get a 429 with
	// Retry-After. A number that does not fit into three quarters of the replica's memory for requests, at 96 KiB for each, is
	// lowered. Default: what fits into half of it, at most 10000; a replica's status shows it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxInFlight int32 `json:"maxInFlight,omitempty"`

	// requestBodyLimit is the maximum size of a request's body: a quantity of bytes from 1Ki to 16Mi. A larger body gets a
	// 413. Default: 4Mi.
	// +optional
	// +kubebuilder:default="4Mi"
	// +kubebuilder:validation:XValidation:rule="string(self).size() <= 32 && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Ki')) >= 0 && quantity(string(self)).compareTo(quantity('16Mi')) <= 0",message="requestBodyLimit must be a quantity from 1Ki to 16Mi"
	RequestBodyLimit *resource.Quantity `json:"requestBodyLimit,omitempty"`

	// requestLog says of which requests a replica logs a line, without contents: Failed or All. Default: Failed.
	// +optional
	RequestLog RequestLog `json:"requestLog,omitempty"`

	// trustedProxies are the networks, such as 10.0.0.0/8, of the proxies in front of the service, whose X-Forwarded-For and
	// X-Forwarded-Proto say who sent a request and how. At most 64. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="must be a network in CIDR notation, such as 10.0.0.0/8 or fd00::/8"
	TrustedProxies []string `json:"trustedProxies,omitempty"`

	// maxStreamDuration is the maximum duration of a stream, from 1s to 24h. The pods' grace period derives from it. Above
	// 9m, cluster-autoscaler gives up on a draining node before the gateway does. Default: 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="maxStreamDuration must be at least 1s"
	MaxStreamDuration Duration `json:"maxStreamDuration,omitempty"`

	// resources are the resources of the gateway container.
	// +optional
	Resources *Resources `json:"resources,omitempty"`

	// image is the gateway's image, of at most 512 characters, with a tag, a digest or both, such as
	// registry.example.com/team/gateway:v1, from a repository that the operator allows: by default, that of its own. Default: the
	// operator's gateway image.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(([0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?([.][0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?)*|[[][0-9A-Fa-f:]+[]])(:[0-9]{1,5})?/)?[0-9a-z]+(([.]|__?|-+)[0-9a-z]+)*(/[0-9a-z]+(([.]|__?|-+)[0-9a-z]+)*)*(:[0-9A-Z_a-z][-.0-9A-Z_a-z]{0,127})?(@(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$')",message="image must be a name with a tag, a digest or both, such as registry.example.com/team/gateway:v1 or registry.example.com/team/gateway@sha256:DIGEST"
	// +kubebuilder:validation:XValidation:rule="self.matches('^.{1,255}(:[^/:@]*)?(@.*)?$') && !self.matches('^[0-9a-f]{64}$')",message="image must have a name of at most 255 characters, and must not be just 64 hexadecimal digits, which are an image's ID"
	Image string `json:"image,omitempty"`

	// podTemplate is a PodTemplateSpec that is merged into the pods' template, as kubectl patch does it, of at most 32 KiB as JSON:
	// labels, annotations, scheduling, volumes, sidecars, and of the container gateway its env, envFrom, volumeMounts, volumeDevices,
	// securityContext, imagePullPolicy and resizePolicy. ConfigValid names a field that cannot be set.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	PodTemplate *JSON `json:"podTemplate,omitempty"`

	// podDisruptionBudget limits how many replicas are evicted at the same time, as when nodes are drained.
	// +optional
	PodDisruptionBudget *PodDisruptionBudget `json:"podDisruptionBudget,omitempty"`
}

// PodDisruptionBudget limits how many replicas are evicted at the same time. Replicas that are not ready may always be evicted.
type PodDisruptionBudget struct {
	// maxUnavailable is a number of replicas, from 1 to 1000, or a share from 1% to 100%, rounded up. Default: 25%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 1000 : self.matches('^([1-9][0-9]?|100)%$')",message="maxUnavailable must be a number from 1 to 1000, or a share from 1% to 100%: with 0, no node could be drained"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// RequestLog names the requests that are logged.
//
// +kubebuilder:validation:Enum=Failed;All
type RequestLog string

// The requests that are logged.
const (
	RequestLogFailed RequestLog = "Failed"
	RequestLogAll    RequestLog = "All"
)

// Resources are the requests and limits of the gateway container.
//
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.limits.cpu) || quantity(string(self.limits.cpu)).compareTo(quantity('10m')) >= 0",message="limits.cpu must be at least 10m"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.limits.memory) || quantity(string(self.limits.memory)).compareTo(quantity('64Mi')) >= 0",message="limits.memory must be at least 64Mi, of which a gateway needs 40Mi for itself"
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || !has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",message="requests.cpu must not exceed limits.cpu"
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || !has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",message="requests.memory must not exceed limits.memory"
type Resources struct {
	// requests are the amounts that the scheduler reserves.
	// +optional
	Requests *ResourceList `json:"requests,omitempty"`

	// limits are the maximum amounts that the container may use: cpu at least 10m, memory at least 64Mi.
	// +optional
	Limits *ResourceList `json:"limits,omitempty"`
}

// ResourceList is an amount of each resource that a gateway uses.
type ResourceList struct {
	// cpu is a quantity of cores from 1m to 1000, such as 500m or 2.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).size() <= 32 && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1m')) >= 0 && quantity(string(self)).compareTo(quantity('1k')) <= 0",message="cpu must be a quantity of cores from 1m to 1000, such as 500m or 2"
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory is a quantity of bytes from 1Mi to 64Ti, such as 256Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).size() <= 32 && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self)).compareTo(quantity('64Ti')) <= 0",message="memory must be a quantity of bytes from 1Mi to 64Ti, such as 256Mi; m stands for a thousandth"
	Memory *resource.Quantity `json:"memory,omitempty"`
}
