package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The names of the resource.
const (
	// Group is the API group of LLMService.
	Group = "serving.llmservice.dev"
	// Kind is the kind of LLMService.
	Kind = "LLMService"
	// Resource is the plural under which the API serves LLMServices.
	Resource = "llmservices"
)

var (
	// GroupVersion is the group and version of this package.
	GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

	// SchemeBuilder collects what AddToScheme adds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &LLMService{}, &LLMServiceList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
