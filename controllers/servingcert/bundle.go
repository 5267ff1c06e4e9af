package servingcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

const (
	// maxCertificates bounds a bundle; each of them has about 800 bytes.
	maxCertificates = 16
	// maxAsked bounds the replicas that are looked up when a bundle is full.
	maxAsked = 64
)

// replicas distinguish certificates in use from those that their replica left behind.
type replicas struct {
	// own is the name of this one; empty if it is not known.
	own string
	// gone says that no replica of this name is left.
	gone func(name string) bool
}

// merge adds our certificates to a bundle. What this replica left there before it restarted goes. Those of other replicas
// stay, except what has expired, cannot be read, or does not fit: then those of replicas that are gone go first, and
// the oldest next. If nothing has to change, the result has the same bytes.
func merge(bundle []byte, ours [][]byte, now time.Time, known replicas) []byte {
	var others []*x509.Certificate
	for _, certificate := range parse(bundle) {
		before := known.own != "" && replicaOf(certificate) == known.own
		if now.Before(certificate.NotAfter) && !before && !containsPEM(ours, certificate) {
			others = append(others, certificate)
		}
	}
	blocks := slices.Clone(ours)
	for _, certificate := range known.fit(others, maxCertificates-len(ours)) {
		blocks = append(blocks, encode(certificate))
	}
	// The order says nothing, so every replica must arrive at the same one, or they would write in turns for ever.
	slices.SortFunc(blocks, bytes.Compare)
	return bytes.Join(slices.CompactFunc(blocks, bytes.Equal), nil)
}

// fit returns as many certificates as there is room for.
func (r replicas) fit(certificates []*x509.Certificate, room int) []*x509.Certificate {
	slices.SortStableFunc(certificates, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	certificates = slices.CompactFunc(certificates, (*x509.Certificate).Equal)
	if len(certificates) <= room {
		return certificates
	}
	var inUse []*x509.Certificate
	for _, certificate := range certificates[:min(len(certificates), maxAsked)] {
		if name := replicaOf(certificate); name == "" || !r.gone(name) {
			inUse = append(inUse, certificate)
		}
	}
	return inUse[:min(len(inUse), room)]
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
