package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
)

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	ca, err := NewAuthority("one")
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewAuthority("two")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(Subject{
		CommonName: "server", Organization: []string{"group"},
		DNSNames: []string{"server.internal"}, IPs: []net.IP{net.ParseIP("198.18.255.1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
		t.Errorf("key does not fit certificate: %v", err)
	}
	cert := parse(t, pair.Cert)
	if cert.Subject.CommonName != "server" || cert.Subject.Organization[0] != "group" || cert.IsCA {
		t.Errorf("subject %s, CA %t", cert.Subject, cert.IsCA)
	}
	for _, name := range []string{"server.internal", "198.18.255.1"} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
			options := x509.VerifyOptions{DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}, Roots: x509.NewCertPool()}
			options.Roots.AddCert(parse(t, ca.Cert))
			if _, err := cert.Verify(options); err != nil {
				t.Errorf("%s, usage %d: %v", name, usage, err)
			}
			options.Roots = x509.NewCertPool()
			options.Roots.AddCert(parse(t, other.Cert))
			if _, err := cert.Verify(options); err == nil {
				t.Errorf("%s, usage %d: a foreign CA vouches for it", name, usage)
			}
		}
	}
}

func TestSigningKeysBelongTogether(t *testing.T) {
	private, public, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	block, _ = pem.Decode(public)
	got, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey.Equal(got) {
		t.Error("the public key is not the private key's")
	}
}
