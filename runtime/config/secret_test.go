package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretFiles(t *testing.T) {
	var c Config
	for _, name := range []string{"keys", "b", "a", "b"} {
		c.Upstreams = append(c.Upstreams, Upstream{Auth: &Auth{Bearer: &SecretFile{Secret: name, Key: "k"}}})
	}
	c.Upstreams[3].Headers = []NamedValue{{Name: "h", SecretKeyRef: &SecretFile{Secret: "headers", Key: "k"}}, {Name: "i", Value: "v"}}
	c.Upstreams[3].Query = []NamedValue{{Name: "q", SecretKeyRef: &SecretFile{Secret: "query", Key: "k"}}}
	c.Upstreams = append(c.Upstreams,
		Upstream{Auth: &Auth{Basic: &BasicAuth{SecretRef{"basic"}}}},
		Upstream{Auth: &Auth{Header: &NamedSecret{"h", SecretFile{"header", "k"}}}},
		Upstream{Auth: &Auth{Query: &NamedSecret{"q", SecretFile{"key", "k"}}}},
		Upstream{TLS: &TLS{CA: &CASource{SecretFile{"ca", "ca.crt"}}, ClientCertificate: &ClientCertificate{SecretRef{"tls"}}}},
	)
	want := []SecretFile{
		{"a", "k"},
		{"b", "k"},
		{"basic", "password"},
		{"basic", "username"},
		{"ca", "ca.crt"},
		{"header", "k"},
		{"headers", "k"},
		{"key", "k"},
		{"keys", "k"},
		{"query", "k"},
		{"tls", "tls.crt"},
		{"tls", "tls.key"},
	}
	if diff := cmp.Diff(want, c.SecretFiles()); diff != "" {
		t.Error(diff)
	}
}
