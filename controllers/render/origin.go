package render

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// OriginFormat identifies what templateSpec has. A release that changes it must count it up, or all services look as if somebody
// had edited them.
const OriginFormat = 1

// templateSpec is what the pods' template takes from the spec of a service. All else in it is the operator's.
type templateSpec struct {
	Image             string              `json:"image,omitempty"`
	Workers           *intstr.IntOrString `json:"workers,omitempty"`
	Resources         *v1alpha1.Resources `json:"resources,omitempty"`
	MaxStreamDuration v1alpha1.Duration   `json:"maxStreamDuration,omitempty"`
	PodTemplate       json.RawMessage     `json:"podTemplate,omitempty"`
	Secrets           []string            `json:"secrets,omitempty"`
}

// originOf identifies what the pods' template takes from the spec.
func originOf(in Input) (string, error) {
	r := runtimeOf(in.Service)
	of := templateSpec{
		Image: r.Image, Workers: r.Workers, Resources: r.Resources, MaxStreamDuration: r.MaxStreamDuration,
		Secrets: in.Current.Secrets,
	}
	if r.PodTemplate != nil {
		of.PodTemplate = r.PodTemplate.Raw // is made compact, and escaped in one way, with the rest
	}
	encoded, err := json.Marshal(of)
	if err != nil {
		return "", fmt.Errorf("encode what the pods' template is made from: %w", err)
	}
	return shortHash(encoded), nil
}
