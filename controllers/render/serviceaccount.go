package render

import (
	corev1 "k8s.io/api/core/v1"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Gateways never speak to the API server: the account has no token, and is there so that other accounts' rights and
// image pull secrets are not the gateways'.
func serviceAccount(s *v1alpha1.LLMService) Child {
	account := accorev1.ServiceAccount(s.Name, s.Namespace).WithAutomountServiceAccountToken(false)
	child := newChild(corev1.SchemeGroupVersion, "ServiceAccount", s, s.Name)
	child.Apply, child.meta = account, account.ObjectMetaApplyConfiguration
	return child
}
