package servingcert

import (
	"sync"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

var _ dynamiccertificates.CertKeyContentProvider = (*ServedPair)(nil)

// ServedPair is the pair that a server serves with now. It is safe for concurrent use.
type ServedPair struct {
	mu        sync.Mutex
	pair      *pair
	listeners []dynamiccertificates.Listener
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (c *ServedPair) Name() string { return "serving-certificate" }

// CurrentCertKeyContent returns the certificate and the key as PEM.
func (c *ServedPair) CurrentCertKeyContent() (certificate, key []byte) {
	current := c.current()
	return current.certificate, current.key
}

// AddListener registers a listener that is called on every later change.
func (c *ServedPair) AddListener(listener dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, listener)
}

func (c *ServedPair) current() *pair {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair
}

func (c *ServedPair) replace(next *pair) {
	c.mu.Lock()
	c.pair = next
	listeners := c.listeners
	c.mu.Unlock()
	for _, listener := range listeners {
		listener.Enqueue()
	}
}
