package manifests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// TestNetworkPolicyOfTheManager evaluates the policy as a policy engine would: it selects the manager's pods, names ports that they have, and lets
// through what the manager needs.
func TestNetworkPolicyOfTheManager(t *testing.T) {
	reports := fmt.Sprintf("%d to gateways", delivery.AdminPort)
	const id = "NetworkPolicy/llmservice-system/llmservice-manager"
	if _, found := chart(t)[id]; found {
		t.Error("there is a policy that nobody asked for")
	}
	for name, tt := range map[string]struct {
		settings []string
		// ingress is each port from each kind of peer; egress likewise.
		ingress, egress []string
	}{
		"with everything": {
			[]string{"webhook.enabled=true", "monitoringNamespaces={prometheus}", "networkPolicy.apiServer.networks={10.96.0.1/32,192.0.2.0/28}"},
			[]string{
				"6443 from 10.96.0.1/32", "6443 from 192.0.2.0/28", "8080 from namespaces prometheus",
				"9443 from 10.96.0.1/32", "9443 from 192.0.2.0/28",
			},
			[]string{
				"443 to 10.96.0.1/32", "443 to 192.0.2.0/28", "53 to all pods", "5353 to all pods", "6443 to 10.96.0.1/32",
				"6443 to 192.0.2.0/28", reports,
			},
		},
		"alone": {
			[]string{"metricsAPI.enabled=false"},
			nil,
			[]string{"443 to anyone", "53 to all pods", "5353 to all pods", "6443 to anyone", reports},
		},
		"for some namespaces": {
			[]string{"watchNamespaces={team-a,team-b}"},
			nil,
			[]string{"443 to anyone", "53 to all pods", "5353 to all pods", "6443 to anyone", reports + " in team-a, team-b"},
		},
		"as it is": {
			nil,
			[]string{"6443 from anyone"},
			[]string{"443 to anyone", "53 to all pods", "5353 to all pods", "6443 to anyone", reports},
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := chart(t, append(tt.settings, "networkPolicy.enabled=true")...)
			var policy networkingv1.NetworkPolicy
			var manager appsv1.Deployment
			read(t, found, id, &policy)
			read(t, found, "Deployment/llmservice-system/llmservice-manager", &manager)
			if !matches(t, &policy.Spec.PodSelector, manager.Spec.Template.Labels) {
				t.Errorf("it does not select %v", manager.Spec.Template.Labels)
			}
			var ingress, egress []string
			for _, rule := range policy.Spec.Ingress {
				ingress = append(ingress, pairs(t, &manager, rule.Ports, "from", rule.From)...)
			}
			for _, rule := range policy.Spec.Egress {
				egress = append(egress, pairs(t, &manager, rule.Ports, "to", rule.To)...)
			}
			if diff := cmp.Diff([][]string{tt.ingress, tt.egress}, [][]string{sorted(ingress), sorted(egress)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, found objects, id string, into any) {
	t.Helper()
	object := found[id]
	if object == nil {
		t.Fatalf("there is no %s", id)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		t.Fatal(err)
	}
}

func matches(t *testing.T, s *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(labels.Set(of))
}

func sorted(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// pairs are the ports and the peers of a rule, in words.
func pairs(t *testing.T, manager *appsv1.Deployment, ports []networkingv1.NetworkPolicyPort, preposition string, peers []networkingv1.NetworkPolicyPeer) []string {
	t.Helper()
	if len(peers) == 0 {
		peers = []networkingv1.NetworkPolicyPeer{{}}
	}
	var all []string
	for _, port := range ports {
		for i := range peers {
			all = append(all, fmt.Sprintf("%d %s %s", numberOf(t, manager, port), preposition, inWords(t, &peers[i])))
		}
	}
	return all
}

func numberOf(t *testing.T, manager *appsv1.Deployment, port networkingv1.NetworkPolicyPort) int32 {
	t.Helper()
	if number := port.Port.IntVal; number != 0 {
		return number
	}
	for _, named := range manager.Spec.Template.Spec.Containers[0].Ports {
		if named.Name == port.Port.StrVal {
			return named.ContainerPort
		}
	}
	t.Errorf("the manager has no port %s", port.Port.StrVal)
	return 0
}

func inWords(t *testing.T, peer *networkingv1.NetworkPolicyPeer) string {
	t.Helper()
	switch {
	case peer.IPBlock != nil:
		return peer.IPBlock.CIDR
	case peer.NamespaceSelector == nil:
		return "anyone"
	case peer.PodSelector != nil:
		if !matches(t, peer.PodSelector, render.SelectorLabels(&v1alpha1.LLMService{})) {
			t.Errorf("%v does not select gateways", peer.PodSelector)
		}
		if matches(t, peer.PodSelector, map[string]string{"app.kubernetes.io/name": "other"}) {
			t.Errorf("%v selects other pods, too", peer.PodSelector)
		}
		if of := peer.NamespaceSelector.MatchExpressions; len(of) > 0 {
			return "gateways in " + strings.Join(of[0].Values, ", ")
		}
		return "gateways"
	case len(peer.NamespaceSelector.MatchExpressions) > 0:
		return "namespaces " + peer.NamespaceSelector.MatchExpressions[0].Values[0]
	}
	return "all pods"
}
