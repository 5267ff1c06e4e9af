package v1alpha1

// IngressExposure makes an Ingress to the Service, for all paths of a host.
type IngressExposure struct {
	// className is the IngressClass, at most 253 characters. Default: the cluster's default class.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ClassName string `json:"className,omitempty"`

	// host is the hostname, at most 253 characters, such as assistant.example.com. status.url has it unless httpRoute has one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:XValidation:rule="!isIP(self)",message="must be a name, and not an address"
	Host string `json:"host,omitempty"`

	// tls makes the Ingress serve https. Default: it does not ask for that.
	// +optional
	TLS *IngressTLS `json:"tls,omitempty"`

	// annotations configure the controller, which needs them for streams: see docs/exposure.md. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(key, key.size() <= 317 && !format.qualifiedName().validate(key).hasValue() && !key.startsWith('serving.llmservice.dev/'))",message="keys must be names of annotations, and not the operator's own"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// IngressTLS makes the Ingress serve https.
type IngressTLS struct {
	// secretName is the Secret with the certificate and its key, at most 253 characters. Default: the controller's certificate.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SecretName string `json:"secretName,omitempty"`
}

// An annotation's value has at most 4096 characters.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string
