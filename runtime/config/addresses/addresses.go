// Package addresses decides which addresses a gateway may connect to. The rules are about what a name has been resolved to, at
// the moment of the connection: a name that resolves to something else the next time gains nothing.
package addresses

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrRefused is what a connection to an address fails with that the rules do not allow. It does not name the address: what
// names resolve to inside a network must not be revealed to authors of manifests.
var ErrRefused = errors.New("the address is not allowed")

// Rules are the operator's lists. The zero value allows all addresses but those that are never connected to.
type Rules struct {
	// Allowed, if there is any, has all the addresses that may be connected to.
	Allowed List
	// Denied takes precedence over Allowed.
	Denied List
}

// never are addresses that an upstream cannot have. Those of a machine's metadata give its credentials to anyone on it who asks.
// What stands for all interfaces reaches the machine itself, and groups are not spoken to over TCP. Loopback is not one of
// them: a sidecar of the pod is reached there.
var never = prefixes(
	"169.254.0.0/16",         // link-local (RFC 3927); 169.254.169.254 is metadata on AWS, Google Cloud, Azure, OpenStack and others
	"fe80::/10",              // link-local (RFC 4291)
	"fd00:ec2::254/128",      // AWS: instance metadata over IPv6
	"fd00:ec2::23/128",       // AWS: credentials of EKS Pod Identity over IPv6
	"fd20:ce::254/128",       // Google Cloud: metadata over IPv6
	"fd00:c1::a9fe:a9fe/128", // Oracle Cloud: instance metadata over IPv6
	"100.100.100.200/32",     // Alibaba Cloud: instance metadata
	"168.63.129.16/32",       // Azure: WireServer, which gives machines their configuration
	"192.0.0.192/32",         // Oracle Cloud Classic: instance metadata
	"0.0.0.0/8",              // this network (RFC 1122, 3.2.1.3); Linux takes 0.0.0.0 for loopback
	"::/128",                 // unspecified (RFC 4291)
	"224.0.0.0/4",            // multicast (RFC 5771)
	"ff00::/8",               // multicast (RFC 4291)
	"255.255.255.255/32",     // broadcast (RFC 919)
)

// embedding are the IPv6 networks whose addresses lead to an IPv4 address, with the places of its four bytes.
var embedding = []struct {
	network netip.Prefix
	places  [4]int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), [4]int{12, 13, 14, 15}},   // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{12, 13, 14, 15}}, // NAT64 in one network (RFC 8215), which may use …
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{6, 7, 9, 10}},    // … any of the formats of RFC 6052, 2.2
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{7, 9, 10, 11}},
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{9, 10, 11, 12}},
	{netip.MustParsePrefix("2002::/16"), [4]int{2, 3, 4, 5}}, // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), [4]int{12, 13, 14, 15}}, // IPv4-compatible (RFC 4291, 2.5.5.1)
}

// Check returns ErrRefused for an address that must not be connected to.
func (r *Rules) Check(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	for _, form := range forms(address) {
		if contains(never, form) || contains(r.Denied, form) {
			return ErrRefused
		}
	}
	if len(r.Allowed) > 0 && !contains(r.Allowed, address) {
		return ErrRefused
	}
	return nil
}

// forms are an address and the IPv4 addresses that it may lead to.
func forms(address netip.Addr) []netip.Addr {
	all := []netip.Addr{address}
	for _, e := range embedding {
		// ::1 is loopback, and not a form of 0.0.0.1.
		if e.network.Contains(address) && !address.IsLoopback() {
			bytes := address.As16()
			all = append(all, netip.AddrFrom4([4]byte{bytes[e.places[0]], bytes[e.places[1]], bytes[e.places[2]], bytes[e.places[3]]}))
		}
	}
	return all
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// List is a list of networks. It is a flag.Value: each time that the flag is set adds one.
type List []netip.Prefix

// Set adds a network in CIDR notation. A form that would contain nothing, or more than it looks like, is an error.
func (l *List) Set(network string) error {
	p, err := netip.ParsePrefix(network)
	switch {
	case err != nil:
		return errors.New("want a network in CIDR notation, such as 10.0.0.0/8 or fd00::/8")
	case p.Addr().Is4In6():
		return errors.New("want the IPv4 network that this IPv6 network stands for")
	case p != p.Masked():
		return fmt.Errorf("an address within a network; want %s", p.Masked())
	}
	*l = append(*l, p)
	return nil
}

// String implements flag.Value.
func (l *List) String() string {
	if l == nil {
		return ""
	}
	var all []string
	for _, p := range *l {
		all = append(all, p.String())
	}
	return strings.Join(all, ",")
}

func prefixes(networks ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, n := range networks {
		all = append(all, netip.MustParsePrefix(n))
	}
	return all
}
