package render

import (
	"encoding/json"
	"fmt"

	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch

func configMap(in Input) ([]Child, error) {
	documents := accorev1.ConfigMap(delivery.ConfigMapName(in.Service.Name), in.Service.Namespace)
	for key, document := range map[string]Document{delivery.CurrentKey: in.Current, delivery.LastGoodKey: in.LastGood} {
		if len(document.Encoded) > 0 {
			documents.WithData(map[string]string{key: string(document.Encoded)})
		}
	}
	accepted, err := json.Marshal(acceptedOf(in))
	if err != nil {
		return nil, fmt.Errorf("encode the accepted part of the spec: %w", err)
	}
	documents.WithAnnotations(map[string]string{AcceptedAnnotation: string(accepted)})
	return []Child{NewChild(documents, documents.ObjectMetaApplyConfiguration)}, nil
}
