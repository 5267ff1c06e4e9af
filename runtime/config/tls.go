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

// CASource is a file of certificates in PEM. Exactly one of its members is set.
type CASource struct {
	SecretKeyRef SecretFile `json:"secretKeyRef,omitzero"`
	File         FileSource `json:"file,omitzero"`
}

// Source is the file.
func (c *CASource) Source() SecretFile { return c.File.or(c.SecretKeyRef) }

// ClientCertificate names the Secret that has a certificate and its private key, or their files.
type ClientCertificate struct {
	SecretRef SecretRef         `json:"secretRef,omitzero"`
	Files     *CertificateFiles `json:"files,omitzero"`
}

// CertificateFiles are the files of a certificate and its private key.
type CertificateFiles struct {
	Certificate FileSource `json:"certificate"`
	PrivateKey  FileSource `json:"privateKey"`
}

// The keys of a Secret of the type kubernetes.io/tls.
const (
	certificateKey = "tls.crt"
	privateKeyKey  = "tls.key"
)

// Certificate is the file of the certificate.
func (c *ClientCertificate) Certificate() SecretFile {
	if c.Files != nil {
		return SecretFile{File: c.Files.Certificate}
	}
	return SecretFile{Secret: c.SecretRef.Name, Key: certificateKey}
}

// PrivateKey is the file of its private key.
func (c *ClientCertificate) PrivateKey() SecretFile {
	if c.Files != nil {
		return SecretFile{File: c.Files.PrivateKey}
	}
	return SecretFile{Secret: c.SecretRef.Name, Key: privateKeyKey}
}

func (c *ClientCertificate) secretFiles() []SecretFile {
	return []SecretFile{c.Certificate(), c.PrivateKey()}
}
