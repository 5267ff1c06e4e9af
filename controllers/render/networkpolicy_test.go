package render_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/egress"
)

// peer is the other end of a connection: a pod with its namespace, or something outside the cluster that has only an address.
type peer struct {
	namespace string
	labels    labels.Set
	address   string
}

// connection is to a pod's port if it comes in, and from the pod if it goes out.
type connection struct {
	with     peer
	protocol corev1.Protocol
	port     int32
}

// admits evaluates a policy as the API's documentation says that a network plugin does. Ours have numbers for ports, and rules for TCP and UDP.
func admits(t *testing.T, p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType, c connection) bool {
	t.Helper()
	if !slices.Contains(p.Spec.PolicyTypes, direction) {
		return true
	}
	if direction == networkingv1.PolicyTypeIngress {
		return slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
			return hasPort(r.Ports, c) && hasPeer(t, r.From, p.Namespace, c.with)
		})
	}
	return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return hasPort(r.Ports, c) && hasPeer(t, r.To, p.Namespace, c.with)
	})
}

// No ports are all ports.
func hasPort(ports []networkingv1.NetworkPolicyPort, c connection) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return *p.Protocol == c.protocol && p.Port.IntVal == c.port
	})
}

// No peers are all peers.
func hasPeer(t *testing.T, peers []networkingv1.NetworkPolicyPeer, own string, with peer) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			return with.address != "" && inBlock(p.IPBlock, netip.MustParseAddr(with.address))
		}
		if with.namespace == "" {
			return false
		}
		namespace := with.namespace == own
		if p.NamespaceSelector != nil {
			namespace = selects(t, p.NamespaceSelector, labels.Set{corev1.LabelMetadataName: with.namespace})
		}
		return namespace && (p.PodSelector == nil || selects(t, p.PodSelector, with.labels))
	})
}

func inBlock(block *networkingv1.IPBlock, address netip.Addr) bool {
	return netip.MustParsePrefix(block.CIDR).Contains(address) && !slices.ContainsFunc(block.Except, func(except string) bool {
		return netip.MustParsePrefix(except).Contains(address)
	})
}

func selects(t *testing.T, s *metav1.LabelSelector, of labels.Set) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(of)
}

// policyOf is what is rendered for a service whose upstreams have these URLs.
func policyOf(t *testing.T, wanted *v1alpha1.NetworkPolicyExposure, urls ...string) *networkingv1.NetworkPolicy {
	t.Helper()
	return policyBehind(t, "", wanted, urls...)
}

// policyBehind is policyOf for gateways that have a proxy.
func policyBehind(t *testing.T, proxy egress.Server, wanted *v1alpha1.NetworkPolicyExposure, urls ...string) *networkingv1.NetworkPolicy {
	t.Helper()
	s := service(t, "minimal")
	s.Spec.Exposure = &v1alpha1.Exposure{Service: &v1alpha1.ServiceExposure{Port: 80}, NetworkPolicy: wanted}
	s.Spec.Upstreams[0].Endpoints = nil
	for _, url := range urls {
		s.Spec.Upstreams[0].Endpoints = append(s.Spec.Upstreams[0].Endpoints, v1alpha1.Endpoint{URL: url})
	}
	in := input(t, s)
	in.Gateway.OperatorNamespace, in.Gateway.MonitoringNamespaces = "llmservice-system", []string{"monitoring"}
	in.Gateway.Proxy.Server = proxy
	encoded, err := json.Marshal(child(t, in, "NetworkPolicy").Apply)
	if err != nil {
		t.Fatal(err)
	}
	var policy networkingv1.NetworkPolicy
	if err := json.Unmarshal(encoded, &policy); err != nil {
		t.Fatal(err)
	}
	if !selects(t, &policy.Spec.PodSelector, render.Labels(s)) {
		t.Errorf("%v does not select the gateways", policy.Spec.PodSelector)
	}
	return &policy
}

// The local cluster enforces no policy, so that what is rendered is evaluated here.
func TestWhoMayConnectToGateways(t *testing.T) {
	envoy := peer{namespace: "infra", labels: labels.Set{"app": "envoy"}, address: "10.2.0.1"}
	from := func(peers ...v1alpha1.NetworkPolicyPeer) *v1alpha1.NetworkPolicyExposure {
		return &v1alpha1.NetworkPolicyExposure{Ingress: &v1alpha1.NetworkPolicyIngress{From: peers}}
	}
	matching := func(key string, value v1alpha1.LabelValue) *v1alpha1.PeerSelector {
		return &v1alpha1.PeerSelector{MatchLabels: map[string]v1alpha1.LabelValue{key: value}}
	}
	infra := matching(corev1.LabelMetadataName, "infra")
	block := &v1alpha1.IPBlock{CIDR: "192.0.2.0/24", Except: []string{"192.0.2.128/25"}}
	tests := []struct {
		name   string
		wanted *v1alpha1.NetworkPolicyExposure
		with   peer
		port   int32
		want   bool
	}{
		{"anybody, by default", from(), peer{namespace: "other"}, 8080, true},
		{"the internet, by default", from(), peer{address: "198.51.100.1"}, 8080, true},
		{"anybody to admin", from(), peer{namespace: "team-a"}, 9090, false},
		{"the internet to admin", from(), peer{address: "198.51.100.1"}, 9090, false},
		{"the operator to admin", from(), peer{namespace: "llmservice-system"}, 9090, true},
		{"Prometheus to admin", from(), peer{namespace: "monitoring"}, 9090, true},
		{"the operator to another port", from(), peer{namespace: "llmservice-system"}, 22, false},
		{"of a namespace", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: infra}), envoy, 8080, true},
		{"of another namespace", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: infra}), peer{namespace: "team-a"}, 8080, false},
		{"pod of a namespace", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: infra, PodSelector: matching("app", "envoy")}), envoy, 8080, true},
		{"another pod of it", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: infra, PodSelector: matching("app", "nginx")}), envoy, 8080, false},
		{"pod of the own namespace", from(v1alpha1.NetworkPolicyPeer{PodSelector: &v1alpha1.PeerSelector{}}), peer{namespace: "team-a"}, 8080, true},
		{"pod of no own namespace", from(v1alpha1.NetworkPolicyPeer{PodSelector: &v1alpha1.PeerSelector{}}), envoy, 8080, false},
		{"every namespace", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: &v1alpha1.PeerSelector{}}), envoy, 8080, true},
		{"no internet of every namespace", from(v1alpha1.NetworkPolicyPeer{NamespaceSelector: &v1alpha1.PeerSelector{}}), peer{address: "198.51.100.1"}, 8080, false},
		{"a network", from(v1alpha1.NetworkPolicyPeer{IPBlock: block}), peer{address: "192.0.2.1"}, 8080, true},
		{"except", from(v1alpha1.NetworkPolicyPeer{IPBlock: block}), peer{address: "192.0.2.200"}, 8080, false},
		{"a network to admin", from(v1alpha1.NetworkPolicyPeer{IPBlock: block}), peer{address: "192.0.2.1"}, 9090, false},
		{"one of two", from(v1alpha1.NetworkPolicyPeer{IPBlock: block}, v1alpha1.NetworkPolicyPeer{NamespaceSelector: infra}), envoy, 8080, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.wanted.Ingress.From) == 0 {
				tt.wanted.Ingress = nil
			}
			policy := policyOf(t, tt.wanted)
			if got := admits(t, policy, networkingv1.PolicyTypeIngress, connection{tt.with, corev1.ProtocolTCP, tt.port}); got != tt.want {
				t.Errorf("admitted: %t", got)
			}
			if !admits(t, policy, networkingv1.PolicyTypeEgress, connection{envoy, corev1.ProtocolTCP, 1}) {
				t.Error("egress is restricted without being asked for")
			}
		})
	}
}

func TestWhomGatewaysMayConnectTo(t *testing.T) {
	const inCluster = "http://model"
	dns := peer{namespace: "kube-system", labels: labels.Set{"k8s-app": "kube-dns"}, address: "10.2.0.53"}
	internet, private := peer{address: "198.51.100.1"}, peer{address: "10.9.9.9"}
	extra := []v1alpha1.NetworkPolicyPeer{{NamespaceSelector: &v1alpha1.PeerSelector{
		MatchLabels: map[string]v1alpha1.LabelValue{corev1.LabelMetadataName: "proxies"},
	}}}
	tests := []struct {
		name, url string
		to        []v1alpha1.NetworkPolicyPeer
		with      connection
		want      bool
	}{
		{"DNS", inCluster, nil, connection{dns, corev1.ProtocolUDP, 53}, true},
		{"long answers of DNS", inCluster, nil, connection{dns, corev1.ProtocolTCP, 53}, true},
		{"OpenShift's DNS", inCluster, nil, connection{dns, corev1.ProtocolUDP, 5353}, true},
		{"DNS outside the cluster", inCluster, nil, connection{internet, corev1.ProtocolUDP, 53}, false},
		{"another port of DNS", inCluster, nil, connection{dns, corev1.ProtocolTCP, 443}, false},
		{"NAME.NAMESPACE.svc", "http://vllm.models.svc:8000", nil, connection{peer{namespace: "models"}, corev1.ProtocolTCP, 9999}, true},
		{"NAME.NAMESPACE.svc.DOMAIN", "http://vllm.Models.svc.cluster.local.", nil, connection{peer{namespace: "models"}, corev1.ProtocolTCP, 80}, true},
		{"a pod of a headless Service", "http://vllm-0.vllm.models.svc", nil, connection{peer{namespace: "models"}, corev1.ProtocolTCP, 80}, true},
		{"NAME.NAMESPACE", "http://vllm.models", nil, connection{peer{namespace: "models"}, corev1.ProtocolTCP, 8000}, true},
		{"NAME", "http://vllm:8000", nil, connection{peer{namespace: "team-a"}, corev1.ProtocolTCP, 8000}, true},
		{"another namespace", "http://vllm.models.svc:8000", nil, connection{peer{namespace: "other"}, corev1.ProtocolTCP, 8000}, false},
		{"the internet, for a Service", "http://vllm.models.svc:8000", nil, connection{internet, corev1.ProtocolTCP, 8000}, false},
		{"a host outside", "https://api.example.com/v1", nil, connection{internet, corev1.ProtocolTCP, 443}, true},
		{"a host outside, by IPv6", "https://api.example.com/v1", nil, connection{peer{address: "2001:db8::1"}, corev1.ProtocolTCP, 443}, true},
		{"a host outside, by a port", "https://api.example.com:8443", nil, connection{internet, corev1.ProtocolTCP, 8443}, true},
		{"NAME.DOMAIN", "https://example.com", nil, connection{internet, corev1.ProtocolTCP, 443}, true},
		{"another port outside", "https://api.example.com", nil, connection{internet, corev1.ProtocolTCP, 80}, false},
		{"UDP outside", "https://api.example.com", nil, connection{internet, corev1.ProtocolUDP, 443}, false},
		{"private addresses, for a host outside", "https://api.example.com", nil, connection{private, corev1.ProtocolTCP, 443}, false},
		{"metadata, for a host outside", "http://api.example.com", nil, connection{peer{address: "169.254.169.254"}, corev1.ProtocolTCP, 80}, false},
		{"private IPv6, for a host outside", "https://api.example.com", nil, connection{peer{address: "fd00::1"}, corev1.ProtocolTCP, 443}, false},
		{"pods, for a host outside", "https://api.example.com", nil, connection{peer{namespace: "other", address: "10.2.0.9"}, corev1.ProtocolTCP, 443}, false},
		{"an address", "http://10.9.9.9:8000", nil, connection{private, corev1.ProtocolTCP, 8000}, true},
		{"another port of it", "http://10.9.9.9:8000", nil, connection{private, corev1.ProtocolTCP, 22}, false},
		{"the address next to it", "http://10.9.9.8", nil, connection{private, corev1.ProtocolTCP, 80}, false},
		{"IPv6", "http://[fd00::1]:8000", nil, connection{peer{address: "fd00::1"}, corev1.ProtocolTCP, 8000}, true},
		{"IPv4 in IPv6", "http://[::ffff:10.9.9.9]", nil, connection{private, corev1.ProtocolTCP, 80}, true},
		{"a peer that is given", inCluster, extra, connection{peer{namespace: "proxies"}, corev1.ProtocolTCP, 3128}, true},
		{"a peer that is not", inCluster, extra, connection{peer{namespace: "other"}, corev1.ProtocolTCP, 3128}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy := policyOf(t, &v1alpha1.NetworkPolicyExposure{Egress: &v1alpha1.NetworkPolicyEgress{To: tt.to}}, tt.url)
			if got := admits(t, policy, networkingv1.PolicyTypeEgress, tt.with); got != tt.want {
				t.Errorf("admitted: %t", got)
			}
		})
	}
}

// Whoever has to go through a proxy may connect to it, wherever it is.
func TestGatewaysMayConnectToTheirProxy(t *testing.T) {
	private := peer{address: "10.9.9.9"}
	for _, tt := range []struct {
		proxy egress.Server
		with  connection
		want  bool
	}{
		{"", connection{private, corev1.ProtocolTCP, 3128}, false},
		{"http://10.9.9.9:3128", connection{private, corev1.ProtocolTCP, 3128}, true},
		{"http://10.9.9.9:3128", connection{private, corev1.ProtocolTCP, 22}, false},
		{"http://10.9.9.8:3128", connection{private, corev1.ProtocolTCP, 3128}, false},
		{"http://proxy.example.com:3128", connection{private, corev1.ProtocolTCP, 3128}, true},
		{"http://proxy.example.com:3128", connection{private, corev1.ProtocolTCP, 22}, false},
		{"http://proxy.example.com", connection{private, corev1.ProtocolTCP, 80}, true},
		{"http://squid.proxies.svc:3128", connection{peer{namespace: "proxies"}, corev1.ProtocolTCP, 13128}, true},
		{"http://squid.proxies.svc:3128", connection{private, corev1.ProtocolTCP, 3128}, false},
	} {
		wanted := &v1alpha1.NetworkPolicyExposure{Egress: &v1alpha1.NetworkPolicyEgress{}}
		policy := policyBehind(t, tt.proxy, wanted, "https://api.example.com")
		if got := admits(t, policy, networkingv1.PolicyTypeEgress, tt.with); got != tt.want {
			t.Errorf("%s, %+v: admitted: %t", tt.proxy, tt.with, got)
		}
	}
}

// An operator that does not know its own namespace admits nobody by it, rather than everybody.
func TestAnUnknownNamespaceIsNotAdmitted(t *testing.T) {
	s := service(t, "minimal")
	s.Spec.Exposure = &v1alpha1.Exposure{NetworkPolicy: &v1alpha1.NetworkPolicyExposure{}}
	object, err := child(t, input(t, s), "NetworkPolicy").Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"ports": []any{map[string]any{"port": int64(8080), "protocol": "TCP"}}}}
	if diff := cmp.Diff(want, object.Object["spec"].(map[string]any)["ingress"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Loopback is not subject to policies, and a URL that cannot be read or has no namespace makes no rule that the API would refuse.
func TestDestinationsThatNeedNoRule(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:8000", "http://[::1]", "http://localhost:8000", "http://a..svc", "http://", "http://x:port"} {
		s := service(t, "minimal")
		s.Spec.Upstreams[0].Endpoints = []v1alpha1.Endpoint{{URL: url}}
		if diff := cmp.Diff(render.Destinations{}, document(t, s).Destinations, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
}
