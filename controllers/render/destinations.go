package render

import (
	"cmp"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/llmservice/llmservice/runtime/config"
)

// Destinations are what gateways connect to for a config, as far as its URLs say: a NetworkPolicy knows no names of hosts.
type Destinations struct {
	// Namespaces have upstreams that are Services.
	Namespaces []string `json:"namespaces,omitempty"`
	// Addresses are those of upstreams without a name.
	Addresses []netip.AddrPort `json:"addresses,omitempty"`
	// Ports are those of upstreams outside the cluster, whose addresses only DNS knows.
	Ports []uint16 `json:"ports,omitempty"`
}

// destinationsOf leaves out URLs that cannot be read, since a config with one is refused, and loopback, to which no policy applies.
func destinationsOf(c *config.Config) Destinations {
	namespaces, addresses, ports := map[string]struct{}{}, map[netip.AddrPort]struct{}{}, map[uint16]struct{}{}
	for i := range c.Upstreams {
		for _, endpoint := range c.Upstreams[i].Endpoints {
			host, port, ok := hostAndPort(endpoint.URL)
			if !ok {
				continue
			}
			if address, err := netip.ParseAddr(host); err == nil {
				if address = address.Unmap().WithZone(""); !address.IsLoopback() {
					addresses[netip.AddrPortFrom(address, port)] = struct{}{}
				}
				continue
			}
			namespace, outside := placeOf(host, c.Service.Namespace)
			if len(validation.IsDNS1123Label(namespace)) == 0 {
				namespaces[namespace] = struct{}{}
			}
			if outside {
				ports[port] = struct{}{}
			}
		}
	}
	return Destinations{
		Namespaces: slices.Sorted(maps.Keys(namespaces)),
		Addresses:  slices.SortedFunc(maps.Keys(addresses), netip.AddrPort.Compare),
		Ports:      slices.Sorted(maps.Keys(ports)),
	}
}

// hostAndPort are those to which the gateway connects for a URL.
func hostAndPort(of string) (host string, port uint16, ok bool) {
	u, err := url.Parse(of)
	if err != nil || u.Hostname() == "" {
		return "", 0, false
	}
	standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	number, err := strconv.ParseUint(cmp.Or(u.Port(), standard), 10, 16)
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), uint16(number), err == nil
}

// placeOf says in which namespace a host may be, empty for none, and whether it may be outside the cluster. The resolver of a pod
// completes names by its own namespace and by the cluster's domain
// (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/), so that NAME.NAMESPACE may be either.
func placeOf(host, own string) (namespace string, outside bool) {
	labels := strings.Split(host, ".")
	switch svc := slices.Index(labels, "svc"); {
	case host == "localhost":
		return "", false
	case len(labels) == 1:
		return own, false
	case svc >= 2:
		return labels[svc-1], false
	case len(labels) == 2:
		return labels[1], true
	default:
		return "", true
	}
}
