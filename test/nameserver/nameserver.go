// Package nameserver is a DNS server on loopback, for tests.
package nameserver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Answer is what the server says of a name.
type Answer struct {
	// Addresses are of either family; each question gets those of its own. None is an answer without addresses.
	Addresses []string
	TTL       uint32
	// Alias, where set, is what the name is another name for, with a TTL of its own.
	Alias    string
	AliasTTL uint32
	// Code says that the question failed; the zero value is success.
	Code dnsmessage.RCode
	// FailedType is the family for which Code is meant; 0 is both.
	FailedType dnsmessage.Type
	// Truncated has the server give all of the answer over TCP alone.
	Truncated bool
	// Silent has the server not answer.
	Silent bool
}

// Server is a DNS server. A name that was not set does not exist.
type Server struct {
	packets net.PacketConn
	streams net.Listener
	served  sync.WaitGroup

	mu    sync.Mutex
	names map[string]Answer
	asked map[string]int
	open  map[net.Conn]bool
}

// Start serves until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	var config net.ListenConfig
	packets, err := config.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{packets: packets, streams: streams, names: map[string]Answer{}, asked: map[string]int{}, open: map[net.Conn]bool{}}
	s.served.Go(s.servePackets)
	s.served.Go(s.serveStreams)
	t.Cleanup(s.close)
	warm(t, s)
	return s
}

// warm has Go's resolver make what it keeps for the life of the process, so that tests in virtual time share it.
func warm(t testing.TB, s *Server) {
	t.Helper()
	r := net.Resolver{PreferGo: true, Dial: s.Dial}
	if all, err := r.LookupNetIP(context.Background(), "ip", "warm.example"); err == nil {
		t.Fatalf("a name that was not set has the addresses %v", all)
	}
}

func (s *Server) close() {
	_ = s.packets.Close()
	_ = s.streams.Close()
	s.mu.Lock()
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.served.Wait()
}

// Set says what a name, without its last dot, is answered with from now on.
func (s *Server) Set(name string, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name+"."] = a
}

// Asked counts the questions for IPv4 addresses of a name.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name+"."]
}

// Dial connects to the server, whichever one was meant.
func (s *Server) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if network == "tcp" {
		return new(net.Dialer).DialContext(ctx, network, s.streams.Addr().String()) //nolint:wrapcheck // a test's
	}
	return new(net.Dialer).DialContext(ctx, network, s.packets.LocalAddr().String()) //nolint:wrapcheck // a test's
}

func (s *Server) servePackets() {
	for query := make([]byte, 1<<12); ; {
		size, from, err := s.packets.ReadFrom(query)
		if err != nil {
			return
		}
		if reply := s.reply(query[:size], false); reply != nil {
			_, _ = s.packets.WriteTo(reply, from)
		}
	}
}

func (s *Server) serveStreams() {
	for {
		conn, err := s.streams.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[conn] = true
		s.mu.Unlock()
		s.served.Go(func() { s.serveStream(conn) })
	}
}

func (s *Server) serveStream(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	}()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	if reply := s.reply(query, true); reply != nil {
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)) //nolint:gosec // below 64 KiB
	}
}

// reply is the answer to a query; nil is none.
func (s *Server) reply(query []byte, whole bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	s.mu.Lock()
	a, known := s.names[q.Name.String()]
	if q.Type == dnsmessage.TypeA && !whole {
		s.asked[q.Name.String()]++
	}
	s.mu.Unlock()
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	switch {
	case a.Silent:
		return nil
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case a.Code != dnsmessage.RCodeSuccess && (a.FailedType == 0 || a.FailedType == q.Type):
		m.RCode = a.Code
	case a.Truncated && !whole:
		m.Truncated = true
	default:
		m.Answers = a.records(q)
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func (a *Answer) records(q dnsmessage.Question) []dnsmessage.Resource {
	var all []dnsmessage.Resource
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: a.TTL}
	if a.Alias != "" {
		of := dnsmessage.MustNewName(a.Alias + ".")
		alias := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: a.AliasTTL}
		all = append(all, dnsmessage.Resource{Header: alias, Body: &dnsmessage.CNAMEResource{CNAME: of}})
		header.Name = of
	}
	for _, text := range a.Addresses {
		address := netip.MustParseAddr(text)
		switch {
		case address.Is4() && q.Type == dnsmessage.TypeA:
			all = append(all, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
		case !address.Is4() && q.Type == dnsmessage.TypeAAAA:
			all = append(all, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
		}
	}
	return all
}
