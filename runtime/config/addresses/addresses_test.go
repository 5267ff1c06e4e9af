package addresses

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func list(t *testing.T, networks ...string) List {
	t.Helper()
	var l List
	for _, n := range networks {
		if err := l.Set(n); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func check(t *testing.T, r Rules, address string, refused bool) {
	t.Helper()
	err := r.Check(netip.MustParseAddr(address))
	if errors.Is(err, ErrRefused) != refused || err != nil != refused {
		t.Errorf("%s with %+v: %v, want it refused: %v", address, r, err, refused)
	}
}

// No list opens an address that is never connected to, in whatever form it comes.
func TestWhatIsNeverConnectedTo(t *testing.T) {
	everything := Rules{Allowed: list(t, "0.0.0.0/0", "::/0")}
	for _, address := range []string{
		"169.254.169.254", "169.254.0.1", "169.254.170.23", "fe80::1", "fe80::1%eth0", "febf::1", "fe80::a9fe:a9fe",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"0.0.0.0", "0.0.0.1", "::", "224.0.0.1", "239.1.2.3", "ff02::1", "ff02::1%eth0", "255.255.255.255",
		"::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:100.100.100.200", "::169.254.169.254",
		"64:ff9b::169.254.169.254", "64:ff9b::100.100.100.200", "64:ff9b::192.0.0.192", "64:ff9b::224.0.0.1",
		"64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00::",
		"2002:a9fe:a9fe::1",
	} {
		check(t, Rules{}, address, true)
		check(t, everything, address, true)
	}
	for _, address := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "192.168.0.1", "100.64.0.1", "93.184.216.34", "169.253.255.255", "169.255.0.0",
		"fd00:ec2::253", "fd12::1", "2001:db8::1", "2606:2800::1", "64:ff9b::93.184.216.34", "2002:5db8:d822::1", "fec0::1",
	} {
		check(t, Rules{}, address, false)
		check(t, everything, address, false)
	}
}

func TestLists(t *testing.T) {
	inside := Rules{Allowed: list(t, "10.0.0.0/8", "fd12::/16"), Denied: list(t, "10.9.0.0/16")}
	outside := Rules{Denied: list(t, "10.0.0.0/8", "127.0.0.0/8", "::1/128")}
	for _, tt := range []struct {
		rules   Rules
		address string
		refused bool
	}{
		{inside, "10.1.2.3", false},
		{inside, "::ffff:10.1.2.3", false},
		{inside, "fd12::1", false},
		{inside, "10.9.2.3", true},
		{inside, "::ffff:10.9.2.3", true},
		{inside, "11.0.0.1", true},
		{inside, "127.0.0.1", true},
		{inside, "::1", true},
		{inside, "64:ff9b::10.1.2.3", true}, // its own network is not in the list
		{outside, "11.0.0.1", false},
		{outside, "2001:db8::1", false},
		{outside, "10.1.2.3", true},
		{outside, "64:ff9b::10.1.2.3", true},
		{outside, "127.0.0.1", true},
		{outside, "::1", true},
	} {
		check(t, tt.rules, tt.address, tt.refused)
	}
}

func TestNetworksAreChecked(t *testing.T) {
	var l List
	for network, want := range map[string]string{
		"": "CIDR", "10.0.0.1": "CIDR", "10.0.0.0/33": "CIDR", "example.com/8": "CIDR", "fe80::1%eth0/64": "CIDR", "10.0.0.0/8,11.0.0.0/8": "CIDR",
		"10.0.0.1/8": "want 10.0.0.0/8", "fd00::1/8": "want fd00::/8", "::ffff:10.0.0.0/104": "IPv4 network",
	} {
		if err := l.Set(network); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", network, err, want)
		}
	}
	if len(l) != 0 {
		t.Errorf("kept %v", l)
	}
	if got := list(t, "10.0.0.0/8", "fd00::/8"); got.String() != "10.0.0.0/8,fd00::/8" {
		t.Errorf("it is %s", got.String())
	}
}
