package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	strictjson "sigs.k8s.io/json"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

const (
	podTemplatePath = "runtime.podTemplate"
	// maxPodTemplate bounds the work on a template, and what the record of the accepted spec, an annotation, holds of it.
	maxPodTemplate = 32 << 10
)

// overlaid merges runtime.podTemplate into the template that a service's pods have without one, as kubectl patch would. The
// gateway's container stays the first one, which is the default of kubectl logs and exec.
func overlaid(
	template *accorev1.PodTemplateSpecApplyConfiguration, s *v1alpha1.LLMService,
) (*accorev1.PodTemplateSpecApplyConfiguration, error) {
	overlay, _, err := decodePodTemplate(s) // CheckChildren has refused what is unknown
	if err != nil {
		return nil, fmt.Errorf("spec.%s: %w", podTemplatePath, err)
	}
	if overlay == nil {
		return template, nil
	}
	original, err := asJSON(template)
	if err != nil {
		return nil, err
	}
	patch, err := asJSON(overlay)
	if err != nil {
		return nil, err
	}
	dropNulls(patch)
	merged, err := strategicpatch.StrategicMergeMapPatch(original, patch, corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("spec.%s: merge: %w", podTemplatePath, err)
	}
	encoded, err := json.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("spec.%s: encode: %w", podTemplatePath, err)
	}
	result := &accorev1.PodTemplateSpecApplyConfiguration{}
	if err := json.Unmarshal(encoded, result); err != nil {
		return nil, fmt.Errorf("spec.%s: decode: %w", podTemplatePath, err)
	}
	slices.SortStableFunc(result.Spec.Containers, func(a, b accorev1.ContainerApplyConfiguration) int {
		return place(a) - place(b)
	})
	return result, nil
}

func place(c accorev1.ContainerApplyConfiguration) int {
	if valueOf(c.Name) == ContainerName {
		return 0
	}
	return 1
}

// asJSON is a value as JSON has it.
func asJSON(of any) (map[string]any, error) {
	encoded, err := json.Marshal(of)
	if err != nil {
		return nil, fmt.Errorf("encode a pod template: %w", err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return nil, fmt.Errorf("decode a pod template: %w", err)
	}
	return decoded, nil
}

// dropNulls leaves out the lists that a typed value does not have: in a patch, null removes a member.
func dropNulls(value any) {
	switch value := value.(type) {
	case map[string]any:
		maps.DeleteFunc(value, func(_ string, member any) bool { return member == nil })
		for _, member := range value {
			dropNulls(member)
		}
	case []any:
		for _, item := range value {
			dropNulls(item)
		}
	}
}

// decodePodTemplate reads runtime.podTemplate, of which the API server checks nothing; nil if there is none. Unknown are the
// members that no pod has. The typed value is merged, because a null, or a directive of a patch, would remove members that
// the service needs.
func decodePodTemplate(s *v1alpha1.LLMService) (template *corev1.PodTemplateSpec, unknown []error, err error) {
	raw := runtimeOf(s).PodTemplate
	if raw == nil || len(raw.Raw) == 0 {
		return nil, nil, nil
	}
	if len(raw.Raw) > maxPodTemplate {
		return nil, nil, fmt.Errorf("has %d bytes as JSON, allowed are %d", len(raw.Raw), maxPodTemplate)
	}
	template = &corev1.PodTemplateSpec{}
	if unknown, err = strictjson.UnmarshalStrict(raw.Raw, template); err != nil {
		return nil, nil, fmt.Errorf("is not a PodTemplateSpec: %w", err)
	}
	return template, unknown, nil
}
