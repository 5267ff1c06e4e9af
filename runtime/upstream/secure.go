package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// TLS is how a gateway and an upstream authenticate each other. The zero value is the TLS of upstreams without settings. Paths
// are those of files of Credentials.
type TLS struct {
	// CA is the path of the authorities that may sign the upstream's certificate; empty means the public ones.
	CA string
	// Certificate and Key are the paths of the gateway's certificate and its private key; empty means none.
	Certificate, Key string
	// ServerName is the name that the upstream's certificate must have; empty means the host of the URL.
	ServerName string
	// MinVersion is crypto/tls's number of the oldest version; 0 is TLS 1.2.
	MinVersion uint16
}

// Secure is the TLS of certain contents of the files. Connections that were made with another one are not used for it.
type Secure struct {
	config *tls.Config
	name   string // different for each
}

// securities are those of upstreams with equal settings, in whichever config, so that a reload keeps connections.
type securities struct {
	mu    sync.Mutex
	known map[TLS]*security
}

// of returns the security of settings; equal settings have the same one.
func (s *securities) of(settings TLS) *security {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[TLS]*security{}
	}
	known, ok := s.known[settings]
	if !ok {
		known = &security{TLS: settings}
		s.known[settings] = known
	}
	return known
}

// securityOf returns the security of settings, whose files it reads once, so that errors in them are known.
func (c *Credentials) securityOf(settings TLS) *security {
	s := c.secured.of(settings)
	_, _ = s.now(c) // calls that need it return the error
	return s
}

// secure is the upstream's TLS with the present files; nil means that of upstreams without settings.
func (u *Upstream) secure() (*Secure, error) {
	if u.secured == nil {
		return nil, nil //nolint:nilnil // it has no settings
	}
	return u.secured.now(u.credentials)
}

// RetainTLS forgets the settings that are not used any more.
func (c *Credentials) RetainTLS(used map[TLS]bool) {
	c.secured.mu.Lock()
	defer c.secured.mu.Unlock()
	files := map[string]bool{}
	for settings := range c.secured.known {
		if !used[settings] {
			delete(c.secured.known, settings)
			continue
		}
		for _, path := range settings.paths() {
			files[path] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.pems {
		if !files[path] {
			delete(c.pems, path)
		}
	}
}

// security makes a Secure of settings, and another one when their files change.
type security struct {
	TLS

	mu      sync.Mutex
	checked time.Time
	files   [][]byte
	current *Secure
	err     error
}

func (t *TLS) paths() []string {
	return slices.DeleteFunc([]string{t.CA, t.Certificate, t.Key}, func(path string) bool { return path == "" })
}

// now returns the Secure of the files, which it reads again if that is due. If a certificate and a key do not belong together,
// because a rotation is not over or by mistake, the last ones that did are used.
func (s *security) now(c *Credentials) (*Secure, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.checked.IsZero() && time.Since(s.checked) < credentialTTL {
		return s.current, s.err
	}
	s.checked = time.Now()
	files, err := s.read(c)
	if err != nil {
		s.files, s.current, s.err = nil, nil, err
		return nil, err
	}
	if s.current != nil && slices.EqualFunc(files, s.files, slices.Equal) {
		return s.current, nil
	}
	made, err := s.secure(files)
	switch {
	case err == nil:
		s.files, s.current, s.err = files, made, nil
	case s.current == nil:
		s.err = err
	}
	return s.current, s.err
}

func (s *security) read(c *Credentials) ([][]byte, error) {
	for _, path := range s.paths() {
		c.beginPEM(path) // all together, so that a volume that hangs is waited for once
	}
	var files [][]byte
	for _, path := range s.paths() {
		content, err := c.pem(path)
		if err != nil {
			return nil, err
		}
		files = append(files, content)
	}
	return files, nil
}

var made atomic.Uint64

// secure makes a Secure. Its errors name files, and never repeat their contents.
func (s *security) secure(files [][]byte) (*Secure, error) {
	config := baseTLS()
	config.ServerName = s.ServerName
	config.MinVersion = max(config.MinVersion, s.MinVersion)
	if s.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(files[0]) {
			return nil, fmt.Errorf("read secret %s: has no certificate", s.CA)
		}
		files = files[1:]
	}
	if s.Certificate != "" {
		pair, err := tls.X509KeyPair(files[0], files[1])
		if err != nil {
			return nil, fmt.Errorf("read secrets %s and %s: %w", s.Certificate, s.Key, errPair)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &Secure{config: config, name: "tls-" + strconv.FormatUint(made.Add(1), 10)}, nil
}

var errPair = errors.New("they are not a certificate and its private key")

// baseTLS is the TLS of upstreams without settings. Sessions belong to one Secure, because another one may trust other
// authorities.
func baseTLS() *tls.Config {
	return &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions), MinVersion: tls.VersionTLS12}
}
