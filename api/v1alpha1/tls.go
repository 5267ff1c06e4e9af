package v1alpha1

// TLSVersion is a version of TLS.
//
// +kubebuilder:validation:Enum=VersionTLS12;VersionTLS13
type TLSVersion string

// The versions of TLS, by the names that Kubernetes' own flags have for them.
const (
	VersionTLS12 TLSVersion = "VersionTLS12"
	VersionTLS13 TLSVersion = "VersionTLS13"
)

// UpstreamTLS is how a gateway and an upstream authenticate each other over https.
//
// +kubebuilder:validation:MinProperties=1
type UpstreamTLS struct {
	// ca names the authorities that the upstream's certificate may be from. Default: the public ones.
	// +optional
	CA *CASource `json:"ca,omitempty"`

	// clientCertificate is the certificate by which the upstream knows the gateway.
	// +optional
	ClientCertificate *ClientCertificate `json:"clientCertificate,omitempty"`

	// serverName is the name that the upstream's certificate must have: a DNS name of at most 253 characters. Default: the host of
	// the endpoint's URL.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$`
	ServerName string `json:"serverName,omitempty"`

	// minVersion is the oldest version of TLS that is allowed: VersionTLS12 or VersionTLS13. Default: VersionTLS12.
	// +optional
	MinVersion TLSVersion `json:"minVersion,omitempty"`
}

// CASource names certificates of authorities.
type CASource struct {
	// secretKeyRef names the key of a Secret in the service's namespace that holds certificates in PEM.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef,omitzero"`
}

// ClientCertificate names a certificate and its private key.
type ClientCertificate struct {
	// secretRef names a Secret in the service's namespace with the keys tls.crt and tls.key, as Secrets of the type
	// kubernetes.io/tls have them.
	// +required
	SecretRef SecretReference `json:"secretRef,omitzero"`
}
