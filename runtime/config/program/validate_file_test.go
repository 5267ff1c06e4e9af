package program

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

var mounted = config.FileSource{Path: "/mnt/secrets-store/openai"}

func TestPathsOfFilesAreChecked(t *testing.T) {
	const noPath, elsewhere = "file.path: is not the path of a file, want an absolute one", "file.path: is below /proc, /sys, /dev"
	for path, want := range map[string]string{
		"/mnt/secrets-store/openai":               "",
		"/vault/secrets/.hidden":                  "",
		"/run/secrets/tokens/models":              "", // a token of a projected volume, for an audience of its own
		"/run/secrets/kubernetes.io-2/key":        "",
		"/developers/key":                         "",
		"/" + strings.Repeat("a", 511):            "",
		"/" + strings.Repeat("a", 512):            noPath,
		"/":                                       noPath,
		"mnt/key":                                 noPath,
		"/mnt//key":                               noPath,
		"/mnt/key/":                               noPath,
		"/mnt/../etc/llmservice/config/current":   noPath,
		"/mnt/./key":                              noPath,
		"/mnt/..data/key":                         noPath,
		"/mnt/a key":                              noPath,
		"/mnt/key\n":                              noPath,
		"/proc/self/environ":                      elsewhere,
		"/sys/kernel/notes":                       elsewhere,
		"/dev/stdin":                              elsewhere,
		"/etc/llmservice/config/current":          elsewhere,
		"/etc/llmservice":                         elsewhere,
		"/var/run/secrets/kubernetes.io/sa/token": elsewhere,
		"/run/secrets/kubernetes.io/sa/token":     elsewhere,
	} {
		c := valid()
		c.Upstreams[0].Auth = &config.Auth{Bearer: &config.SecretFile{File: config.FileSource{Path: path}}}
		if want != "" {
			want = "auth.bearer." + want
		}
		t.Run(path, func(t *testing.T) { wants(t, c, want) })
	}
}

// A key stands in a Secret or in a file, wherever a config has one.
func TestOneSourceOfAKey(t *testing.T) {
	bad := config.FileSource{Path: "key"}
	both := config.SecretFile{Secret: "keys", Key: "k", File: mounted}
	for name, tt := range map[string]struct {
		auth config.Auth
		want string
	}{
		"bearer, both":    {config.Auth{Bearer: &both}, "auth.bearer: has both a Secret's key and file"},
		"header":          {config.Auth{Header: &config.NamedSecret{Name: "k", File: mounted}}, ""},
		"header, both":    {config.Auth{Header: &config.NamedSecret{Name: "k", SecretKeyRef: someFile, File: mounted}}, "auth.header: has both secretKeyRef and file"},
		"header, neither": {config.Auth{Header: &config.NamedSecret{Name: "k", SecretKeyRef: config.SecretFile{Key: "k"}}}, "auth.header.secretKeyRef.name: \"\" is not the name of a Secret"},
		"query, bad":      {config.Auth{Query: &config.NamedSecret{Name: "k", File: bad}}, "auth.query.file.path: is not the path of a file"},
		"basic":           {config.Auth{Basic: &config.BasicAuth{Files: &config.BasicFiles{Username: mounted, Password: mounted}}}, ""},
		"basic, username": {config.Auth{Basic: &config.BasicAuth{Files: &config.BasicFiles{Username: bad, Password: mounted}}}, "auth.basic.files.username.path: is not the path"},
		"basic, password": {config.Auth{Basic: &config.BasicAuth{Files: &config.BasicFiles{Username: mounted}}}, "auth.basic.files.password.path: is not the path"},
		"basic, both": {config.Auth{Basic: &config.BasicAuth{
			SecretRef: config.SecretRef{Name: "login"}, Files: &config.BasicFiles{Username: mounted, Password: mounted},
		}}, "auth.basic: has both secretRef and files"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			c.Upstreams[0].Auth = &tt.auth
			wants(t, c, tt.want)
		})
	}
	for name, tt := range map[string]struct {
		tls  config.TLS
		want string
	}{
		"ca":                {config.TLS{CA: &config.CASource{File: mounted}}, ""},
		"ca, bad":           {config.TLS{CA: &config.CASource{File: bad}}, "tls.ca.file.path: is not the path"},
		"ca, both":          {config.TLS{CA: &config.CASource{SecretKeyRef: someFile, File: mounted}}, "tls.ca: has both secretKeyRef and file"},
		"certificate":       {config.TLS{ClientCertificate: &config.ClientCertificate{Files: &config.CertificateFiles{Certificate: mounted, PrivateKey: mounted}}}, ""},
		"certificate, bad":  {config.TLS{ClientCertificate: &config.ClientCertificate{Files: &config.CertificateFiles{Certificate: bad, PrivateKey: mounted}}}, "tls.clientCertificate.files.certificate.path: is"},
		"private key, none": {config.TLS{ClientCertificate: &config.ClientCertificate{Files: &config.CertificateFiles{Certificate: mounted}}}, "tls.clientCertificate.files.privateKey.path: is"},
		"certificate, both": {config.TLS{ClientCertificate: &config.ClientCertificate{
			SecretRef: config.SecretRef{Name: "tls"}, Files: &config.CertificateFiles{Certificate: mounted, PrivateKey: mounted},
		}}, "tls.clientCertificate: has both secretRef and files"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			c.Upstreams[0].Endpoints[0].URL = "https://m"
			c.Upstreams[0].TLS = &tt.tls
			wants(t, c, tt.want)
		})
	}
}
