package servingcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const (
	// life is how long a certificate is valid. A replica that is gone leaves its certificate trusted until then.
	life = 7 * 24 * time.Hour
	// renewAfter is when a replica makes its next certificate: early enough to outlast days of an API that cannot be
	// written.
	renewAfter = life * 2 / 3
	// skew is how far the API server's clock may be behind.
	skew = time.Hour
)

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// pair is a certificate and its key, both as PEM.
type pair struct {
	certificate []byte
	key         []byte
	made        time.Time
}

// newPair makes a self-signed certificate for serving under these names, in which the replica's own name stands as the
// subject's serial number. It is not a CA: the holder of its key can prove to be this replica, and nothing else.
func newPair(names []string, replica string, now time.Time) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make serving key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: names[0], SerialNumber: replica},
		DNSNames:     names,
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make serving certificate: %w", err)
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode serving key: %w", err)
	}
	return &pair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate}),
		key:         pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: encodedKey}),
		made:        now,
	}, nil
}

func (p *pair) renewable(now time.Time) bool { return now.Sub(p.made) >= renewAfter }

// replicaOf names the replica that a certificate is of; empty if it does not say.
func replicaOf(certificate *x509.Certificate) string { return certificate.Subject.SerialNumber }
