package gateway

import (
	"crypto/tls"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// authOf is how the gateway authenticates to an upstream.
func authOf(a *config.Auth) upstream.Auth {
	switch {
	case a == nil:
		return upstream.Auth{}
	case a.Bearer != nil:
		return upstream.Auth{Bearer: a.Bearer.Path()}
	case a.Header != nil:
		return upstream.Auth{Header: secretValue(a.Header)}
	case a.Query != nil:
		return upstream.Auth{Query: secretValue(a.Query)}
	}
	return upstream.Auth{Username: a.Basic.Username().Path(), Password: a.Basic.Password().Path()}
}

func secretValue(s *config.NamedSecret) upstream.Value {
	return upstream.Value{Name: s.Name, Path: s.Source().Path()}
}

// valuesOf are headers or query parameters.
func valuesOf(named []config.NamedValue) []upstream.Value {
	values := make([]upstream.Value, len(named))
	for i, v := range named {
		values[i] = upstream.Value{Name: v.Name, Text: v.Value}
		if file, ok := v.Source(); ok {
			values[i].Path = file.Path()
		}
	}
	return values
}

// tlsOf is how the gateway and an upstream know each other.
func tlsOf(t *config.TLS) upstream.TLS {
	var to upstream.TLS
	if t == nil {
		return to
	}
	if to.ServerName = t.ServerName; t.MinVersion == config.VersionTLS13 {
		to.MinVersion = tls.VersionTLS13
	}
	if t.CA != nil {
		to.CA = t.CA.Source().Path()
	}
	if c := t.ClientCertificate; c != nil {
		to.Certificate, to.Key = c.Certificate().Path(), c.PrivateKey().Path()
	}
	return to
}

// tlsUsed are the settings that a config has.
func tlsUsed(c *config.Config) map[upstream.TLS]bool {
	used := map[upstream.TLS]bool{}
	for i := range c.Upstreams {
		used[tlsOf(c.Upstreams[i].TLS)] = true
	}
	return used
}
