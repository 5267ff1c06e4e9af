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
	c.Upstreams[3].Query = append(c.Upstreams[3].Query, NamedValue{Name: "r", File: FileSource{"/m/value"}})
	secret := func(name, key string) SecretFile { return SecretFile{Secret: name, Key: key} }
	file := func(path string) SecretFile { return SecretFile{File: FileSource{path}} }
	bearer := file("/m/bearer")
	c.Upstreams = append(c.Upstreams,
		Upstream{Auth: &Auth{Basic: &BasicAuth{SecretRef: SecretRef{"basic"}}}},
		Upstream{Auth: &Auth{Header: &NamedSecret{Name: "h", SecretKeyRef: secret("header", "k")}}},
		Upstream{Auth: &Auth{Query: &NamedSecret{Name: "q", SecretKeyRef: secret("key", "k")}}},
		Upstream{TLS: &TLS{
			CA: &CASource{SecretKeyRef: secret("ca", "ca.crt")}, ClientCertificate: &ClientCertificate{SecretRef: SecretRef{"tls"}},
		}},
		Upstream{Auth: &Auth{Bearer: &bearer}},
		Upstream{Auth: &Auth{Header: &NamedSecret{Name: "h", File: FileSource{"/m/header"}}}},
		Upstream{Auth: &Auth{Basic: &BasicAuth{Files: &BasicFiles{FileSource{"/m/username"}, FileSource{"/m/password"}}}}},
		Upstream{TLS: &TLS{
			CA:                &CASource{File: FileSource{"/m/ca"}},
			ClientCertificate: &ClientCertificate{Files: &CertificateFiles{FileSource{"/m/certificate"}, FileSource{"/m/key"}}},
		}},
	)
	want := []SecretFile{
		file("/m/bearer"),
		file("/m/ca"),
		file("/m/certificate"),
		file("/m/header"),
		file("/m/key"),
		file("/m/password"),
		file("/m/username"),
		file("/m/value"),
		secret("a", "k"),
		secret("b", "k"),
		secret("basic", "password"),
		secret("basic", "username"),
		secret("ca", "ca.crt"),
		secret("header", "k"),
		secret("headers", "k"),
		secret("key", "k"),
		secret("keys", "k"),
		secret("query", "k"),
		secret("tls", "tls.crt"),
		secret("tls", "tls.key"),
	}
	if diff := cmp.Diff(want, c.SecretFiles()); diff != "" {
		t.Error(diff)
	}
}
