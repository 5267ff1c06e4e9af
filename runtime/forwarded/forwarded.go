// Package forwarded finds out who sent a request that has come through proxies, and over which scheme. It believes only proxies
// that are trusted: anyone can send their headers.
package forwarded

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the proxies that are trusted.
type Proxies []netip.Prefix

// Trusts reports whether an address is one of a trusted proxy.
func (p Proxies) Trusts(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(address) })
}

// Client is the address of the client of a request that has come from a peer. A proxy adds the address that it was asked from to
// the end of X-Forwarded-For. So the addresses are read from the end, for as long as each was added by a trusted proxy: the client
// is the first one that is not trusted, or the first of the list if all are. An entry that is not an address ends the search.
func (p Proxies) Client(peer netip.Addr, h http.Header) netip.Addr {
	client := peer
	for _, list := range slices.Backward(h.Values("X-Forwarded-For")) {
		for more := true; more; {
			var entry string
			entry, list, more = last(list)
			if entry == "" {
				continue // an empty item of a list counts for nothing (RFC 9110, section 5.6.1)
			}
			address, ok := parse(entry)
			if !ok || !p.Trusts(client) {
				return client
			}
			client = address
		}
	}
	return client
}

// last is the last item of a list, what is before it, and whether there is anything.
func last(list string) (item, rest string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	return strings.TrimSpace(list[comma+1:]), list[:max(comma, 0)], comma >= 0
}

// parse reads an address, with or without a port.
func parse(entry string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	if err != nil {
		with, err := netip.ParseAddrPort(entry)
		return with.Addr().Unmap().WithZone(""), err == nil
	}
	return address.Unmap().WithZone(""), true
}

// Scheme is the scheme of the URL that the client has asked for: http, unless a peer that is trusted says https in
// X-Forwarded-Proto.
func (p Proxies) Scheme(peer netip.Addr, h http.Header) string {
	if strings.TrimSpace(h.Get("X-Forwarded-Proto")) == "https" && p.Trusts(peer) {
		return "https"
	}
	return "http"
}
