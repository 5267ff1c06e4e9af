package render

import (
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch

// Gateways never speak to the API server: the account has no token, and is there so that other accounts' rights and
// image pull secrets are not the gateways'.
func serviceAccount(in Input) ([]Child, error) {
	account := accorev1.ServiceAccount(in.Service.Name, in.Service.Namespace).WithAutomountServiceAccountToken(false)
	return []Child{NewChild(account, account.ObjectMetaApplyConfiguration)}, nil
}
