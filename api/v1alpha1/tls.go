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
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.file)",message="exactly one of secretKeyRef and file is required"
type CASource struct {
	// secretKeyRef names the key of a Secret in the service's namespace that holds certificates in PEM.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file names a file of the gateway's container that holds certificates in PEM, of at most 512 KiB.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// ClientCertificate names a certificate and its private key.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) != has(self.files)",message="exactly one of secretRef and files is required"
type ClientCertificate struct {
	// secretRef names a Secret in the service's namespace with the keys tls.crt and tls.key, as Secrets of the type
	// kubernetes.io/tls have them.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// files names files of the gateway's container that hold the two in PEM, each of at most 512 KiB.
	// +optional
	Files *CertificateFiles `json:"files,omitempty"`
}

// CertificateFiles names the files of a certificate and its private key.
type CertificateFiles struct {
	// certificate is the file with the certificate and the chain that goes with it.
	// +required
	Certificate FileSource `json:"certificate,omitzero"`

	// privateKey is the file with the private key of the certificate.
	// +required
	PrivateKey FileSource `json:"privateKey,omitzero"`
}
