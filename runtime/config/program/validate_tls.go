package program

import (
	"net/url"
	"regexp"

	"github.com/llmservice/llmservice/runtime/config"
)

// serverName is a DNS name as certificates have it, without a dot at its end.
var serverName = regexp.MustCompile(`^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$`)

func (v *validator) tls(path string, u *config.Upstream) {
	t := u.TLS
	if t == nil {
		return
	}
	for i := range u.Endpoints {
		if at, err := url.Parse(u.Endpoints[i].URL); err == nil && at.Scheme == "http" {
			v.addf(config.Item(path+".endpoints", i)+".url", "is http, but the upstream has tls; want https")
		}
	}
	path += ".tls"
	if t.CA != nil {
		v.secretSource(path+".ca", t.CA.SecretKeyRef, t.CA.File)
	}
	if t.ClientCertificate != nil {
		v.clientCertificate(path+".clientCertificate", t.ClientCertificate)
	}
	if t.ServerName != "" && (len(t.ServerName) > 253 || !serverName.MatchString(t.ServerName)) {
		v.addf(path+".serverName", "%q is not a DNS name, want one such as model.example.com", t.ServerName)
	}
	switch t.MinVersion {
	case "", config.VersionTLS12, config.VersionTLS13:
	default:
		v.addf(path+".minVersion", "is %q, want %s or %s", t.MinVersion, config.VersionTLS12, config.VersionTLS13)
	}
}

func (v *validator) clientCertificate(path string, c *config.ClientCertificate) {
	if v.standsInFiles(path, c.SecretRef, c.Files != nil) {
		v.mountedFile(path+".files.certificate", c.Files.Certificate)
		v.mountedFile(path+".files.privateKey", c.Files.PrivateKey)
	}
}
