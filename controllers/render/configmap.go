package render

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/runtime/config/delivery"
)

func configMap(in Input) (Child, error) {
	name := delivery.ConfigMapName(in.Service.Name)
	documents := accorev1.ConfigMap(name, in.Service.Namespace)
	for key, document := range map[string]Document{delivery.CurrentKey: in.Current, delivery.LastGoodKey: in.LastGood} {
		if len(document.Encoded) > 0 {
			documents.WithData(map[string]string{key: string(document.Encoded)})
		}
	}
	accepted, err := json.Marshal(acceptedOf(in))
	if err != nil {
		return Child{}, fmt.Errorf("encode what was accepted of the spec: %w", err)
	}
	documents.WithAnnotations(map[string]string{AcceptedAnnotation: string(accepted)})
	child := newChild(corev1.SchemeGroupVersion, "ConfigMap", in.Service, name)
	child.Apply, child.meta = documents, documents.ObjectMetaApplyConfiguration
	return child, nil
}
