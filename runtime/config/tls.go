package config

// TLS says how a gateway and an upstream know each other over https.
type TLS struct {
	// CA holds the authorities that the upstream's certificate may be from; nil is the public ones.
	CA *CASource `json:"ca,omitzero"`
	// ClientCertificate is the gateway's.
	ClientCertificate *ClientCertificate `json:"clientCertificate,omitzero"`
	// ServerName is what the upstream's certificate must be for; empty is the host of the URL.
	ServerName string `json:"serverName,omitzero"`
	// MinVersion is the oldest version that is allowed; empty is VersionTLS12.
	MinVersion string `json:"minVersion,omitzero"`
}

// The versions of TLS.
const (
	VersionTLS12 = "VersionTLS12"
	VersionTLS13 = "VersionTLS13"
)

// CASource is a file of certificates in PEM.
type CASource struct {
	SecretKeyRef SecretFile `json:"secretKeyRef"`
}

// ClientCertificate names the Secret that has a certificate and its private key.
type ClientCertificate struct {
	SecretRef SecretRef `json:"secretRef"`
}

// The keys of a Secret of the type kubernetes.io/tls.
const (
	certificateKey = "tls.crt"
	privateKeyKey  = "tls.key"
)

// Certificate is the file of the certificate.
func (c *ClientCertificate) Certificate() SecretFile {
	return SecretFile{c.SecretRef.Name, certificateKey}
}

// PrivateKey is the file of its private key.
func (c *ClientCertificate) PrivateKey() SecretFile {
	return SecretFile{c.SecretRef.Name, privateKeyKey}
}

func (c *ClientCertificate) secretFiles() []SecretFile {
	return []SecretFile{c.Certificate(), c.PrivateKey()}
}
