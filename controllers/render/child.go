package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// AppliedHashAnnotation holds a hash of a child as it was rendered. The live object still has a field that a newer
// rendering left out, and only the hash shows that.
const AppliedHashAnnotation = v1alpha1.Group + "/applied-hash"

// Child is one object that belongs to a service.
type Child struct {
	schema.GroupVersionKind
	types.NamespacedName
	// Apply is the object as server-side apply takes it.
	Apply runtime.ApplyConfiguration
	// Hash is the value of AppliedHashAnnotation.
	Hash string
	// Origin identifies what of the spec the pods' template is made from; empty for a child that has none.
	Origin string

	meta *acmetav1.ObjectMetaApplyConfiguration
}

// NewChild returns a child as the Build of a Kind makes it: the object to apply, and the metadata in it, which has its name.
func NewChild(apply runtime.ApplyConfiguration, meta *acmetav1.ObjectMetaApplyConfiguration) Child {
	return Child{Apply: apply, meta: meta}
}

// Key identifies the child among those of its service.
func (c Child) Key() ChildKey { return ChildKey{c.GroupVersionKind, c.Name} }

// Unstructured returns the object to apply, to be compared with the live one.
func (c Child) Unstructured() (*unstructured.Unstructured, error) {
	encoded, err := json.Marshal(c.Apply)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", c.Kind, c.NamespacedName, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(encoded); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", c.Kind, c.NamespacedName, err)
	}
	return object, nil
}

// own adds to a named child what every child has: labels, the owner, the hash.
func own(c *Child, s *v1alpha1.LLMService) error {
	c.meta.WithLabels(Labels(s))
	c.meta.OwnerReferences = []acmetav1.OwnerReferenceApplyConfiguration{*acmetav1.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind(v1alpha1.Kind).
		WithName(s.Name).
		WithUID(s.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)}
	encoded, err := json.Marshal(c.Apply)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", c.Kind, c.NamespacedName, err)
	}
	c.Hash = shortHash(encoded)
	if c.meta.Annotations == nil {
		c.meta.Annotations = map[string]string{}
	}
	c.meta.Annotations[AppliedHashAnnotation] = c.Hash
	return nil
}

// 64 bits distinguish two renderings of one object, and fit into names.
func shortHash(of []byte) string {
	sum := sha256.Sum256(of)
	return hex.EncodeToString(sum[:8])
}
