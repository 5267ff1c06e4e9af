package operator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// configureAggregation has the API server proxy for aggregated APIs, as every real one does: it proves who it is to
// them with a client certificate, and tells them who asks in headers.
func configureAggregation(arguments *envtest.Arguments, directory string) error {
	ca, caKey, err := certificate(filepath.Join(directory, "ca"), &x509.Certificate{
		Subject: pkix.Name{CommonName: "front-proxy-ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return err
	}
	_, _, err = certificate(filepath.Join(directory, "client"), &x509.Certificate{
		Subject: pkix.Name{CommonName: "front-proxy-client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, caKey)
	if err != nil {
		return err
	}
	arguments.
		// Some clusters ask for the right to finalize an owner before a child may block its deletion.
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		Set("requestheader-client-ca-file", filepath.Join(directory, "ca.crt")).
		Set("requestheader-allowed-names", "front-proxy-client").
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-").
		Set("proxy-client-cert-file", filepath.Join(directory, "client.crt")).
		Set("proxy-client-key-file", filepath.Join(directory, "client.key"))
	return nil
}

// certificate writes FILE.crt and FILE.key; without a parent it signs itself.
func certificate(file string, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	encodedKey, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	for name, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: encodedKey}} {
		if err := os.WriteFile(file+name, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, nil, fmt.Errorf("write certificate: %w", err)
		}
	}
	made, err := x509.ParseCertificate(der)
	return made, key, err
}
