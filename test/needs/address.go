package needs

import (
	"net"
	"net/netip"
	"testing"
)

// Address is one of this machine's that is not loopback, from and at which a test can play a client from elsewhere. A test on a
// machine that has none ends as with Missing.
func Address(t testing.TB) netip.Addr {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range all {
		prefix, err := netip.ParsePrefix(address.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr()
		}
	}
	Missing(t, "address", "this machine has no address but loopback: connect it to a network")
	panic("not reached")
}
