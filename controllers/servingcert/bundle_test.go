package servingcert

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var moment = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func made(t *testing.T, at time.Time) []byte {
	t.Helper()
	return madeBy(t, "", at)
}

func madeBy(t *testing.T, replica string, at time.Time) []byte {
	t.Helper()
	pair, err := newPair([]string{"metrics.llmservice-system.svc"}, replica, at)
	if err != nil {
		t.Fatal(err)
	}
	return pair.certificate
}

func TestMerge(t *testing.T) {
	mine, next, other := made(t, moment), made(t, moment), made(t, moment.Add(-time.Hour))
	expired := made(t, moment.Add(-life))
	healthy, again := madeBy(t, "healthy", moment.Add(-3*time.Hour)), madeBy(t, "me", moment)
	var many, crashed, gone [][]byte
	for i := range 2 * maxCertificates {
		at := moment.Add(time.Duration(i) * time.Minute)
		many, crashed = append(many, made(t, at)), append(crashed, madeBy(t, "me", at))
		gone = append(gone, madeBy(t, fmt.Sprint("gone-", i), at))
	}
	known := replicas{own: "me", gone: func(name string) bool { return strings.HasPrefix(name, "gone-") }}
	tests := []struct {
		name   string
		bundle []byte
		ours   [][]byte
		want   [][]byte
	}{
		{name: "the first", ours: [][]byte{mine}, want: [][]byte{mine}},
		{name: "beside another replica's", bundle: other, ours: [][]byte{mine}, want: [][]byte{mine, other}},
		{name: "it is there", bundle: slices.Concat(other, mine), ours: [][]byte{mine}, want: [][]byte{mine, other}},
		{name: "given twice", bundle: slices.Concat(other, other, mine, mine), ours: [][]byte{mine}, want: [][]byte{mine, other}},
		{name: "before a renewal", bundle: slices.Concat(other, mine), ours: [][]byte{mine, next}, want: [][]byte{mine, next, other}},
		{name: "what has expired goes", bundle: slices.Concat(expired, other), ours: [][]byte{mine}, want: [][]byte{mine, other}},
		{name: "what is no certificate goes", bundle: append([]byte("hello\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), other...), ours: [][]byte{mine}, want: [][]byte{mine, other}},
		{name: "the newest stay, and ours", bundle: slices.Concat(many...), ours: [][]byte{mine}, want: append([][]byte{mine}, many[maxCertificates+1:]...)},
		{name: "a replica that crashed takes its own place", bundle: slices.Concat(append(crashed, healthy)...), ours: [][]byte{again}, want: [][]byte{again, healthy}},
		{name: "what does not fit and is of nobody goes first", bundle: slices.Concat(append(gone, healthy)...), ours: [][]byte{again}, want: [][]byte{again, healthy}},
		{name: "what fits stays, also of those that are gone", bundle: slices.Concat(gone[0], healthy), ours: [][]byte{again}, want: [][]byte{again, gone[0], healthy}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := merge(tt.bundle, tt.ours, moment, known)
			want := slices.Clone(tt.want)
			slices.SortFunc(want, bytes.Compare)
			if !bytes.Equal(got, bytes.Join(want, nil)) {
				t.Errorf("%d certificates, want %d", len(parse(got)), len(want))
			}
			if again := merge(got, tt.ours, moment, known); !bytes.Equal(again, got) {
				t.Error("merging again changes the bundle: replicas would write for ever")
			}
		})
	}
}

// Replicas that publish at the same time must come to the same bundle.
func TestMergeIsTheSameForEveryReplica(t *testing.T) {
	a, b := made(t, moment), made(t, moment)
	if !bytes.Equal(merge(a, [][]byte{b}, moment, replicas{}), merge(b, [][]byte{a}, moment, replicas{})) {
		t.Error("the order depends on who writes")
	}
}

func TestCertificateProvesTheServiceAndNothingElse(t *testing.T) {
	const name = "metrics.llmservice-system.svc"
	certificate := parse(made(t, moment))[0]
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	options := x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: moment}
	if _, err := certificate.Verify(options); err != nil {
		t.Errorf("the API server would not trust it: %v", err)
	}
	options.DNSName = "other.llmservice-system.svc"
	if _, err := certificate.Verify(options); err == nil {
		t.Error("it proves another name")
	}
	if certificate.IsCA || certificate.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("it can sign other certificates")
	}
	for _, at := range []time.Duration{-2 * skew, life + time.Second} {
		if err := certificate.VerifyHostname(name); err != nil || (!moment.Add(at).Before(certificate.NotBefore) && !moment.Add(at).After(certificate.NotAfter)) {
			t.Errorf("it is valid %v after it was made", at)
		}
	}
	if encoded := fmt.Sprint(string(encode(certificate))); strings.Contains(encoded, "PRIVATE") {
		t.Error("the key is published")
	}
}
