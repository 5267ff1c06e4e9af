package servingcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// maxCertificates bounds a bundle: a replica that restarts over and over leaves a certificate each time.
const maxCertificates = 8

// merge adds our certificates to a bundle. Those of other replicas stay, except what has expired, cannot be read, or
// is older than the newest that fit. The result is the same bytes where nothing has to change.
func merge(bundle []byte, ours [][]byte, now time.Time) []byte {
	var others []*x509.Certificate
	for _, certificate := range parse(bundle) {
		if now.Before(certificate.NotAfter) && !containsPEM(ours, certificate) {
			others = append(others, certificate)
		}
	}
	slices.SortStableFunc(others, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	others = others[:min(len(others), maxCertificates-len(ours))]
	blocks := slices.Clone(ours)
	for _, certificate := range others {
		blocks = append(blocks, encode(certificate))
	}
	// The order says nothing, so every replica must arrive at the same one, or they would write in turns for ever.
	slices.SortFunc(blocks, bytes.Compare)
	return bytes.Join(slices.CompactFunc(blocks, bytes.Equal), nil)
}

func parse(bundle []byte) []*x509.Certificate {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certificateBlock {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates = append(certificates, certificate)
		}
	}
	return certificates
}

func containsPEM(encoded [][]byte, certificate *x509.Certificate) bool {
	return slices.ContainsFunc(encoded, func(e []byte) bool { return bytes.Equal(e, encode(certificate)) })
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})
}
