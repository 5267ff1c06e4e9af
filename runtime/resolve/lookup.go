package resolve

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Dial connects to a DNS server, as net.Resolver's does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// lookup is one resolution of a host. Go's own resolver makes it: it reads resolv.conf, with its search list, ndots and options,
// and the hosts file, and asks over TCP where an answer was truncated. It keeps the TTLs to itself, so lookup
// listens to what its connections receive.
type lookup struct {
	dial Dial
	// strict makes a failure of it that one family of addresses could not be resolved.
	strict bool

	mu    sync.Mutex
	heard bool
	ttl   time.Duration
}

// resolve returns the addresses, in the order of RFC 6724, and for how long they are right; unheard is for how long where no
// server has said that. All of its connections are closed when ctx ends.
func (l *lookup) resolve(ctx context.Context, host string, unheard time.Duration) ([]netip.Addr, time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dial := func(of context.Context, network, server string) (net.Conn, error) {
		return l.listen(ctx, of, network, server)
	}
	resolver := net.Resolver{PreferGo: true, StrictErrors: l.strict, Dial: dial}
	all, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // it is put into words where it is known for how long
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard {
		return all, l.ttl, nil
	}
	return all, unheard, nil
}

// listen connects to a server. The resolver's own context does not end with that of the lookup.
func (l *lookup) listen(ctx, of context.Context, network, server string) (net.Conn, error) {
	of, cancel := context.WithCancel(of)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	conn, err := l.dial(of, network, server)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if udp, ok := conn.(*net.UDPConn); ok {
		return &datagrams{udp, l}, nil
	}
	return &octets{Conn: conn, lookup: l}, nil
}

// hear notes the lowest TTL of the records that a message answers with.
func (l *lookup) hear(message []byte) {
	var p dnsmessage.Parser
	if _, err := p.Start(message); err != nil || p.SkipAllQuestions() != nil {
		return
	}
	for {
		record, err := p.AnswerHeader()
		if err != nil {
			return
		}
		switch record.Type {
		case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME:
			l.note(record.TTL)
		default:
		}
		if p.SkipAnswer() != nil {
			return
		}
	}
}

func (l *lookup) note(seconds uint32) {
	if seconds > 1<<31-1 {
		seconds = 0 // RFC 2181, section 8
	}
	ttl := time.Duration(seconds) * time.Second
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.heard || ttl < l.ttl {
		l.heard, l.ttl = true, ttl
	}
}

// datagrams is a connection of which each read is a message.
type datagrams struct {
	*net.UDPConn

	lookup *lookup
}

// Read implements net.Conn.
func (d *datagrams) Read(p []byte) (int, error) {
	n, err := d.UDPConn.Read(p)
	d.lookup.hear(p[:n])
	return n, err //nolint:wrapcheck // the resolver looks at it
}

// octets is a connection of TCP: a message follows its length (RFC 1035, section 4.2.2).
type octets struct {
	net.Conn

	lookup *lookup
	read   []byte
}

const (
	lengthBytes = 2
	maxMessage  = 1<<16 - 1
)

// Read implements net.Conn.
func (o *octets) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if room := lengthBytes + maxMessage - len(o.read); room > 0 {
		o.read = append(o.read, p[:min(n, room)]...)
	}
	return n, err //nolint:wrapcheck // the resolver looks at it
}

// Close implements net.Conn.
func (o *octets) Close() error {
	if len(o.read) > lengthBytes {
		o.lookup.hear(o.read[lengthBytes:])
	}
	return o.Conn.Close() //nolint:wrapcheck // the resolver looks at it
}
