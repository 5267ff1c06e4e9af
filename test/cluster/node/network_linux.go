package node

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/llmservice/llmservice/test/cluster/netns"
)

// setUpNetwork gives this network namespace, which is empty, the node's address
// and a default route. A bridge without ports carries them: not every kernel
// has the dummy device that would be the usual choice.
func setUpNetwork() error {
	if err := startLoopback(); err != nil {
		return err
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "node0"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("network: add bridge node0: %w", err)
	}
	if err := startLink(bridge, controlPlaneIP); err != nil {
		return err
	}
	return routeEverything(bridge)
}

func startLoopback() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("network: find lo: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("network: start lo: %w", err)
	}
	return nil
}

func startLink(link netlink.Link, address string) error {
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: one(address)}); err != nil {
		return fmt.Errorf("network: address %s: %w", link.Attrs().Name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("network: start %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// joinNetwork gives a worker's network namespace, which is empty, the node's address, and connects it with upstream, the first
// node's. What has no route of its own goes through the first node.
func (l Layout) joinNetwork(upstream *os.File) error {
	if err := startLoopback(); err != nil {
		return err
	}
	const uplink = "uplink0"
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: uplink}, PeerName: l.Name(), PeerNamespace: netlink.NsFd(int(upstream.Fd())),
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("network: connect %s: %w", l.Name(), err)
	}
	own, err := netlink.LinkByName(uplink)
	if err != nil {
		return fmt.Errorf("network: find %s: %w", uplink, err)
	}
	if err := startLink(own, l.nodeIP()); err != nil {
		return err
	}
	if err := addRoutes(
		netlink.Route{LinkIndex: own.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: one(controlPlaneIP)},
		netlink.Route{LinkIndex: own.Attrs().Index, Gw: net.ParseIP(controlPlaneIP), Dst: everywhere()},
	); err != nil {
		return err
	}
	if err := forward(); err != nil {
		return err
	}
	return netns.Inside(upstream, l.routeHere)
}

// routeHere adds, in the first node's namespace, the routes that lead to a worker.
func (l Layout) routeHere() error {
	peer, err := netlink.LinkByName(l.Name())
	if err != nil {
		return fmt.Errorf("network: find %s: %w", l.Name(), err)
	}
	if err := netlink.LinkSetUp(peer); err != nil {
		return fmt.Errorf("network: start %s: %w", l.Name(), err)
	}
	_, pods, err := net.ParseCIDR(l.ownPods())
	if err != nil {
		return fmt.Errorf("network: pods of %s: %w", l.Name(), err)
	}
	return addRoutes(
		netlink.Route{LinkIndex: peer.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: one(l.nodeIP()), Src: net.ParseIP(controlPlaneIP)},
		netlink.Route{LinkIndex: peer.Attrs().Index, Gw: net.ParseIP(l.nodeIP()), Dst: pods, Src: net.ParseIP(controlPlaneIP)},
	)
}

func one(address string) *net.IPNet {
	return &net.IPNet{IP: net.ParseIP(address), Mask: net.CIDRMask(32, 32)}
}

func everywhere() *net.IPNet { return &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)} }

func addRoutes(routes ...netlink.Route) error {
	for _, r := range routes {
		if err := netlink.RouteAdd(&r); err != nil {
			return fmt.Errorf("network: route to %s: %w", r.Dst, err)
		}
	}
	return nil
}

// routeEverything lets packets to Services, which no device owns, get as far
// as kube-proxy's rules, and lets the node forward between pods.
func routeEverything(via netlink.Link) error {
	route := netlink.Route{LinkIndex: via.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: everywhere()}
	if err := addRoutes(route); err != nil {
		return err
	}
	return forward()
}

func forward() error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("network: forward between pods: %w", err)
	}
	return nil
}
