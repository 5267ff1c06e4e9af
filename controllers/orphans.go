package controllers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/render"
)

// orphanError says that a child of a deleted service of the same name has no owner now, and that this operator lacks the
// right to make this service its owner. Some API servers demand the right to delete an object for that.
type orphanError struct {
	kind, name string
	service    *v1alpha1.LLMService
}

func (e *orphanError) Error() string {
	return fmt.Sprintf("%s %s was left behind by a deleted %s of this name, and the operator may not take it over; "+
		`delete it, or give it the ownerReference `+
		`{"apiVersion":%q,"kind":%q,"name":%q,"uid":%q,"controller":true,"blockOwnerDeletion":true}`,
		e.kind, e.name, v1alpha1.Kind, v1alpha1.GroupVersion, v1alpha1.Kind, e.service.Name, e.service.UID)
}

// orphaned says that this operator made the object for a service of this name, and that nothing controls it any more: its
// service was deleted with --cascade=orphan, and a new one takes the name. The object must have been read from the API server,
// as caches keep nothing of the field managers.
func orphaned(live client.Object, service *v1alpha1.LLMService) bool {
	return live.GetDeletionTimestamp() == nil && metav1.GetControllerOf(live) == nil &&
		live.GetAnnotations()[render.AppliedHashAnnotation] != "" &&
		live.GetLabels()[render.LabelManagedBy] == render.ManagedBy &&
		live.GetLabels()[render.LabelInstance] == service.Name && cached.Made(live)
}
