package servingcert

import (
	"sync"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

var _ dynamiccertificates.CertKeyContentProvider = (*Certificate)(nil)

// Certificate is the pair that a server serves with now. It is safe for concurrent use.
type Certificate struct {
	mu        sync.Mutex
	pair      *pair
	listeners []dynamiccertificates.Listener
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (c *Certificate) Name() string { return "serving-certificate" }

// CurrentCertKeyContent returns the certificate and the key as PEM.
func (c *Certificate) CurrentCertKeyContent() (certificate, key []byte) {
	current := c.current()
	return current.certificate, current.key
}

// AddListener has the listener told of every later change.
func (c *Certificate) AddListener(listener dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, listener)
}

func (c *Certificate) current() *pair {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair
}

func (c *Certificate) replace(next *pair) {
	c.mu.Lock()
	c.pair = next
	listeners := c.listeners
	c.mu.Unlock()
	for _, listener := range listeners {
		listener.Enqueue()
	}
}
