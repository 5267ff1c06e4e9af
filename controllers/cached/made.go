package cached

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldOwner is the field manager of everything that the operator writes.
const FieldOwner = "llmservice-operator"

// made marks an object that the operator applied, in place of the field managers, which caches do not hold. No API server
// takes a key with parentheses, so an object that carries it got it here.
const made = "(made)"

// Made says that some field of the object is owned by what this operator applied. The object may be from a cache or from the
// API server.
func Made(object client.Object) bool {
	if _, ok := object.GetAnnotations()[made]; ok {
		return true
	}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == FieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply {
			return true
		}
	}
	return false
}

// markMade is for objects whose field managers are about to be dropped.
func markMade(object client.Object, is bool) {
	if !is {
		return
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[made] = ""
	object.SetAnnotations(annotations)
}
