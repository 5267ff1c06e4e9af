package servingcert

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Holder is an object of the cluster that leads API servers to a Service, and holds the certificates that they trust there.
type Holder struct {
	kind, name string
	// direct says where a holder leads that names no Service.
	direct string
	// empty returns an object to read into, and a function that finds the places in it once it has been read.
	empty func() (client.Object, func() []place)
}

// place is where a Holder names a Service.
type place struct {
	// service is nil if the place leads to none.
	service  *types.NamespacedName
	bundle   *[]byte
	insecure *bool
}

// APIServices are the holders of aggregated APIs.
func APIServices(names []string) []Holder {
	holders := make([]Holder, len(names))
	for i, name := range names {
		holders[i] = Holder{"APIService", name, "is served by the API server itself", emptyAPIService}
	}
	return holders
}

func emptyAPIService() (client.Object, func() []place) {
	object := &apiregistrationv1.APIService{}
	return object, func() []place {
		found := place{bundle: &object.Spec.CABundle, insecure: &object.Spec.InsecureSkipTLSVerify}
		if to := object.Spec.Service; to != nil {
			found.service = &types.NamespacedName{Namespace: to.Namespace, Name: to.Name}
		}
		return []place{found}
	}
}

// ValidatingWebhooks is the holder of a ValidatingWebhookConfiguration.
func ValidatingWebhooks(name string) []Holder {
	return []Holder{{"ValidatingWebhookConfiguration", name, "has a URL", emptyWebhooks}}
}

func emptyWebhooks() (client.Object, func() []place) {
	object := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	return object, func() []place {
		found := make([]place, len(object.Webhooks))
		for i := range object.Webhooks {
			to := &object.Webhooks[i].ClientConfig
			found[i].bundle, found[i].insecure = &to.CABundle, new(bool)
			if to.Service != nil {
				found[i].service = &types.NamespacedName{Namespace: to.Service.Namespace, Name: to.Service.Name}
			}
		}
		return found
	}
}
