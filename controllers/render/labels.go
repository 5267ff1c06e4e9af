package render

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// The labels of every child (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// GatewayName is the value of LabelName.
	GatewayName = "llmservice-gateway"
	// GatewayComponent is the value of LabelComponent.
	GatewayComponent = "gateway"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "llmservice"
)

// Labels are those of every child, pods included.
func Labels(s *v1alpha1.LLMService) map[string]string {
	return map[string]string{
		LabelName:      GatewayName,
		LabelInstance:  s.Name,
		LabelComponent: GatewayComponent,
		LabelManagedBy: ManagedBy,
	}
}

// whyOwnKey is the reason why a spec cannot set a key that isOwnKey.
const whyOwnKey = "the operator, or Kubernetes, writes it"

// isOwnKey reports whether a key of labels or annotations is one that the operator writes, or by which it or Kubernetes counts
// or prices pods.
func isOwnKey(key string) bool {
	switch key {
	case LabelName, LabelInstance, LabelComponent, LabelManagedBy, appsv1.DefaultDeploymentUniqueLabelKey, corev1.PodDeletionCost:
		return true
	}
	return strings.HasPrefix(key, v1alpha1.Group+"/")
}

// checkKeys refuses keys of labels or annotations, of the field at a path, that Kubernetes would refuse, and those that the
// operator writes.
func checkKeys[Value ~string](at string, of map[string]Value) config.Errors {
	var errs config.Errors
	for _, key := range slices.Sorted(maps.Keys(of)) {
		switch wrong := validation.IsQualifiedName(strings.ToLower(key)); {
		case len(wrong) > 0:
			errs = append(errs, config.FieldErrorf(at, "%q is not a valid key: %s", key, wrong[0]))
		case isOwnKey(key):
			errs = append(errs, config.FieldErrorf(at, "%s must not be set: %s", key, whyOwnKey))
		}
	}
	return errs
}

// SelectorLabels select the pods of a service. A Deployment's selector cannot change, so these never may.
func SelectorLabels(s *v1alpha1.LLMService) map[string]string {
	return map[string]string{LabelName: GatewayName, LabelInstance: s.Name}
}

// Selector selects the pods of a service; its String is status.selector.
func Selector(s *v1alpha1.LLMService) labels.Selector {
	return labels.SelectorFromSet(SelectorLabels(s))
}

// texts are the labels or annotations of a spec, whose values have a type of their own there.
func texts[Value ~string](of map[string]Value) map[string]string {
	plain := make(map[string]string, len(of))
	for key, value := range of {
		plain[key] = string(value)
	}
	return plain
}
