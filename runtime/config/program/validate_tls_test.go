package program

import (
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

func TestTLSIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		url  string
		tls  config.TLS
		want string // empty: accepted
	}{
		"all of it": {"https://m", config.TLS{
			CA: &config.CASource{SecretKeyRef: someFile}, ClientCertificate: &config.ClientCertificate{SecretRef: config.SecretRef{Name: "tls"}},
			ServerName: "model.internal", MinVersion: config.VersionTLS13,
		}, ""},
		"http":                  {"http://m", config.TLS{ServerName: "m"}, "endpoints[0].url: is http, but the upstream has tls; want https"},
		"another directory":     {"https://m", config.TLS{CA: &config.CASource{SecretKeyRef: config.SecretFile{Secret: "..", Key: "k"}}}, "tls.ca.secretKeyRef.name: "},
		"a directory's file":    {"https://m", config.TLS{ClientCertificate: &config.ClientCertificate{SecretRef: config.SecretRef{Name: "a/b"}}}, "tls.clientCertificate.secretRef.name: "},
		"a name with a star":    {"https://m", config.TLS{ServerName: "*.internal"}, "tls.serverName: \"*.internal\" is not a DNS name"},
		"a version of long ago": {"https://m", config.TLS{MinVersion: "VersionTLS10"}, "tls.minVersion: is \"VersionTLS10\", want VersionTLS12 or VersionTLS13"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			c.Upstreams[0].Endpoints[0].URL, c.Upstreams[0].TLS = tt.url, &tt.tls
			wants(t, c, tt.want)
		})
	}
	c := valid()
	c.Upstreams[0].MaxConnectionAge = -1
	wants(t, c, "maxConnectionAge: is -1ns, want more than 0s")
}
