package render

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	acnetworkingv1 "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// dnsPorts are those of the cluster's DNS pods, whatever the port of their Service: OpenShift's listen on the second.
var dnsPorts = []int32{53, 5353}

// privateNetworks are not where an upstream outside the cluster is expected: pods, Services and nodes have their addresses there,
// and so does the metadata of clouds. RFC 1918, RFC 6598, RFC 3927, RFC 4193 and RFC 4291.
var privateNetworks = map[string][]string{
	"0.0.0.0/0": {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"},
	"::/0":      {"fc00::/7", "fe80::/10"},
}

// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// A pod's own node may always connect to it, so probes need no rule
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
func networkPolicy(in Input) ([]Child, error) {
	s := in.Service
	wanted := networkPolicyOf(s)
	if wanted == nil {
		return nil, nil
	}
	spec := acnetworkingv1.NetworkPolicySpec().
		WithPodSelector(acmetav1.LabelSelector().WithMatchLabels(SelectorLabels(s))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress).
		WithIngress(ingressRules(in, wanted)...)
	if wanted.Egress != nil {
		spec.WithPolicyTypes(networkingv1.PolicyTypeEgress).WithEgress(egressRules(in, wanted.Egress)...)
	}
	policy := acnetworkingv1.NetworkPolicy(s.Name, s.Namespace).WithSpec(spec)
	return []Child{NewChild(policy, policy.ObjectMetaApplyConfiguration)}, nil
}

func networkPolicyOf(s *v1alpha1.LLMService) *v1alpha1.NetworkPolicyExposure {
	return valueOf(s.Spec.Exposure).NetworkPolicy
}

// The operator reads the gateways' reports on their admin port, and Prometheus their metrics. Without a namespace of either,
// nobody may.
func ingressRules(in Input, wanted *v1alpha1.NetworkPolicyExposure) []*acnetworkingv1.NetworkPolicyIngressRuleApplyConfiguration {
	public := acnetworkingv1.NetworkPolicyIngressRule().WithPorts(policyPort(corev1.ProtocolTCP, delivery.Port)).
		WithFrom(policyPeers(valueOf(wanted.Ingress).From)...)
	for _, target := range furtherTargets(in.Service) {
		public.WithPorts(acnetworkingv1.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(target))
	}
	rules := []*acnetworkingv1.NetworkPolicyIngressRuleApplyConfiguration{public}
	if namespaces := in.Gateway.adminNamespaces(); len(namespaces) > 0 {
		rules = append(rules, acnetworkingv1.NetworkPolicyIngressRule().
			WithPorts(policyPort(corev1.ProtocolTCP, delivery.AdminPort)).
			WithFrom(inNamespaces(namespaces...)))
	}
	return rules
}

// adminNamespaces are those whose pods may connect to the admin port, sorted.
func (g GatewaySettings) adminNamespaces() []string {
	namespaces := slices.Clone(g.MonitoringNamespaces)
	if g.OperatorNamespace != "" {
		namespaces = append(namespaces, g.OperatorNamespace)
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

type egressRule = acnetworkingv1.NetworkPolicyEgressRuleApplyConfiguration

// A policy applies to the port of a pod, which may be another one than that of its Service: so any port of a namespace is allowed
// in which there is an upstream.
func egressRules(in Input, wanted *v1alpha1.NetworkPolicyEgress) []*egressRule {
	rules := []*egressRule{dnsRule()}
	to := in.Current.Destinations
	if len(to.Namespaces) > 0 {
		rules = append(rules, acnetworkingv1.NetworkPolicyEgressRule().WithTo(inNamespaces(to.Namespaces...)))
	}
	for _, address := range to.Addresses {
		rules = append(rules, addressRule(address))
	}
	if len(to.Ports) > 0 {
		rules = append(rules, outsideRule(to.Ports))
	}
	rules = append(rules, proxyRules(in)...)
	if peers := policyPeers(wanted.To); len(peers) > 0 {
		rules = append(rules, acnetworkingv1.NetworkPolicyEgressRule().WithTo(peers...))
	}
	return rules
}

// proxyRules admit the proxy: the namespace of a Service, or the port, at every address if DNS alone knows its own, which is
// private more often than not.
func proxyRules(in Input) []*egressRule {
	host, port, ok := hostAndPort(string(in.Gateway.Proxy.Server))
	if !ok {
		return nil
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return []*egressRule{addressRule(netip.AddrPortFrom(address, port))}
	}
	var rules []*egressRule
	namespace, outside := placeOf(host, in.Service.Namespace)
	if namespace != "" {
		rules = append(rules, acnetworkingv1.NetworkPolicyEgressRule().WithTo(inNamespaces(namespace)))
	}
	if outside {
		rules = append(rules, portRule(port))
	}
	return rules
}

// portRule admits a port at every address.
func portRule(port uint16) *egressRule {
	return acnetworkingv1.NetworkPolicyEgressRule().WithPorts(policyPort(corev1.ProtocolTCP, int32(port)))
}

// addressRule admits a port at one address.
func addressRule(at netip.AddrPort) *egressRule {
	return portRule(at.Port()).WithTo(network(netip.PrefixFrom(at.Addr(), at.Addr().BitLen()).String(), nil))
}

func dnsRule() *egressRule {
	rule := acnetworkingv1.NetworkPolicyEgressRule().
		WithTo(acnetworkingv1.NetworkPolicyPeer().WithNamespaceSelector(acmetav1.LabelSelector()))
	for _, port := range dnsPorts {
		rule.WithPorts(policyPort(corev1.ProtocolUDP, port), policyPort(corev1.ProtocolTCP, port))
	}
	return rule
}

func outsideRule(ports []uint16) *egressRule {
	rule := acnetworkingv1.NetworkPolicyEgressRule()
	for _, port := range ports {
		rule.WithPorts(policyPort(corev1.ProtocolTCP, int32(port)))
	}
	for _, all := range slices.Sorted(maps.Keys(privateNetworks)) {
		rule.WithTo(network(all, privateNetworks[all]))
	}
	return rule
}

func policyPort(protocol corev1.Protocol, port int32) *acnetworkingv1.NetworkPolicyPortApplyConfiguration {
	return acnetworkingv1.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(port))
}

type policyPeer = acnetworkingv1.NetworkPolicyPeerApplyConfiguration

// inNamespaces selects all pods of the namespaces, by the label that every namespace has.
func inNamespaces(names ...string) *policyPeer {
	return acnetworkingv1.NetworkPolicyPeer().WithNamespaceSelector(acmetav1.LabelSelector().WithMatchExpressions(
		acmetav1.LabelSelectorRequirement().
			WithKey(corev1.LabelMetadataName).WithOperator(metav1.LabelSelectorOpIn).WithValues(names...)))
}

func network(cidr string, except []string) *policyPeer {
	return acnetworkingv1.NetworkPolicyPeer().
		WithIPBlock(acnetworkingv1.IPBlock().WithCIDR(cidr).WithExcept(except...))
}

func policyPeers(of []v1alpha1.NetworkPolicyPeer) []*policyPeer {
	var peers []*policyPeer
	for i := range of {
		peer := acnetworkingv1.NetworkPolicyPeer()
		if selector := of[i].PodSelector; selector != nil {
			peer.WithPodSelector(labelSelector(selector))
		}
		if selector := of[i].NamespaceSelector; selector != nil {
			peer.WithNamespaceSelector(labelSelector(selector))
		}
		if block := of[i].IPBlock; block != nil {
			peer = network(block.CIDR, block.Except)
		}
		peers = append(peers, peer)
	}
	return peers
}

func labelSelector(of *v1alpha1.PeerSelector) *acmetav1.LabelSelectorApplyConfiguration {
	return acmetav1.LabelSelector().WithMatchLabels(texts(of.MatchLabels))
}
