// Package resolve keeps the addresses of names up to date: each name is resolved again when its TTL is over.
package resolve

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
)

const (
	// minTTL and maxTTL bound how soon, and how late, a name is resolved again. A TTL of 0 would ask all the time, and one of
	// years would never notice that an address has changed.
	minTTL, maxTTL = time.Second, 5 * time.Minute
	// unheardTTL is for names of the hosts file.
	unheardTTL = 30 * time.Second
	// maxRetry bounds the wait after a failed resolution; it begins with minTTL, and doubles.
	maxRetry = 10 * time.Second
	// timeout bounds one resolution, whatever resolv.conf says.
	timeout = 10 * time.Second
	// missingFor is how long a name that had addresses has to have none until they are given up: one answer may be wrong while
	// a DNS server starts. After longer, the addresses may be somebody else's.
	missingFor = 30 * time.Second
	// strictFailures is how many failures in a row may be of one family. More are the way of a server that knows only the other.
	strictFailures = 2
)

// Options are what names are resolved with.
type Options struct {
	// Dial connects to DNS servers; nil is the network's own way.
	Dial Dial
	// Rules say which addresses are used.
	Rules addresses.Rules
	// Changed, where set, is called after the addresses of a name have changed.
	Changed func()
	// Failed, where set, is told of the first of several failures in a row, in words of which none is a server's, and Recovered
	// of their end.
	Failed    func(host, why string)
	Recovered func(host string)
}

// Names resolves the names that it was asked for, while it runs.
type Names struct {
	options Options
	news    chan struct{} // takes one without waiting

	mu    sync.Mutex
	known map[string]*Name
}

// NewNames returns names that are resolved once Run is called.
func NewNames(o Options) *Names {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return &Names{options: o, news: make(chan struct{}, 1), known: map[string]*Name{}}
}

// Name returns the name of a host, the same one for equal hosts.
func (n *Names) Name(host string) *Name {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.known[host]
	if !ok {
		name = &Name{host: host, again: make(chan struct{}, 1)}
		name.current.Store(&Addresses{})
		n.known[host] = name
		n.tell()
	}
	return name
}

// Retain forgets all other names. What was learned of these stays as it is.
func (n *Names) Retain(hosts map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for host := range n.known {
		if !hosts[host] {
			delete(n.known, host)
		}
	}
	n.tell()
}

func (n *Names) tell() { signal(n.news) }

// signal wakes who listens to a channel that takes one without waiting.
func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// Run resolves names until ctx ends, each in a goroutine that ends when the name is forgotten. It waits for all of them.
func (n *Names) Run(ctx context.Context) {
	var followed sync.WaitGroup
	defer followed.Wait()
	running := map[*Name]context.CancelFunc{}
	for {
		for _, stop := range n.gone(running) {
			stop()
		}
		for _, name := range n.added(running) {
			ctx, cancel := context.WithCancel(ctx)
			running[name] = cancel
			followed.Go(func() { name.follow(ctx, &n.options) })
		}
		select {
		case <-n.news:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Names) added(running map[*Name]context.CancelFunc) (added []*Name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.known {
		if running[name] == nil {
			added = append(added, name)
		}
	}
	return added
}

func (n *Names) gone(running map[*Name]context.CancelFunc) (gone []context.CancelFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, stop := range running {
		if n.known[name.host] != name {
			gone = append(gone, stop)
			delete(running, name)
		}
	}
	return gone
}

// Name is a host's name, with the addresses that it has now.
type Name struct {
	host    string
	current atomic.Pointer[Addresses]
	known   atomic.Bool
	again   chan struct{} // takes one without waiting
}

// Addresses are those of the name now; the zero value where none is known, or a connection should be made to the name.
func (n *Name) Addresses() *Addresses { return n.current.Load() }

// Known reports whether the name was ever resolved.
func (n *Name) Known() bool { return n.known.Load() }

// Doubt has the name resolved soon: an address of it could not be connected to. A doubt more costs nothing.
func (n *Name) Doubt() { signal(n.again) }

// follow resolves the name until ctx ends.
func (n *Name) follow(ctx context.Context, o *Options) {
	f := following{Name: n, Options: o}
	for ctx.Err() == nil {
		if !n.wait(ctx, f.resolve(ctx)) {
			return
		}
	}
}

// wait is for a time, or until somebody doubts the addresses, but never for less than minTTL. It is false where ctx ended.
func (n *Name) wait(ctx context.Context, d time.Duration) bool {
	began := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-n.again:
			timer.Reset(max(0, min(d, minTTL)-time.Since(began)))
		case <-ctx.Done():
			return false
		}
	}
}

// following is what is known of how the resolution of a name goes.
type following struct {
	*Name
	*Options

	failures int       // in a row
	missing  time.Time // since when the name has had no address
}

// resolve resolves the name, and returns after which time that is due again.
func (f *following) resolve(ctx context.Context) time.Duration {
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	one := lookup{dial: f.Dial, strict: f.failures < strictFailures}
	all, ttl, err := one.resolve(bound, f.host, unheardTTL)
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		return f.failed(err)
	}
	if f.failures > 0 && f.Recovered != nil {
		f.Recovered(f.host)
	}
	f.failures, f.missing = 0, time.Time{}
	f.set(addressesOf(all, &f.Rules))
	f.known.Store(true)
	return min(max(ttl, minTTL), maxTTL)
}

// failed keeps the last addresses, unless it is said for long enough that there are none.
func (f *following) failed(err error) time.Duration {
	f.failures++
	dns, ok := errors.AsType[*net.DNSError](err)
	missing := ok && dns.IsNotFound
	if f.failures == 1 && f.Failed != nil {
		f.Failed(f.host, words(dns))
	}
	switch now := time.Now(); {
	case !missing:
	case f.missing.IsZero():
		f.missing = now
	case now.Sub(f.missing) >= missingFor:
		f.set(&Addresses{})
	}
	return min(minTTL<<min(f.failures-1, 8), maxRetry)
}

func words(err *net.DNSError) string {
	switch {
	case err == nil:
		return "the name could not be resolved"
	case err.IsNotFound:
		return "the name has no address"
	case err.IsTimeout:
		return "the DNS server did not answer in time"
	}
	return "the DNS server failed"
}

func (f *following) set(to *Addresses) {
	if f.current.Load().equal(to) {
		return
	}
	f.current.Store(to)
	if f.Changed != nil {
		f.Changed()
	}
}
