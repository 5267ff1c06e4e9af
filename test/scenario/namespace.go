package scenario

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// ownLabel marks the namespaces that scenarios made: on a cluster that is somebody's, only those are removed.
	ownLabel = "llmservice.dev/scenario"
	// securityLabel makes the API server refuse every pod that asks for more than a level allows
	// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
	securityLabel = "pod-security.kubernetes.io/enforce"
)

// CreateNamespace makes a namespace, and first removes what an earlier run left under that name.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	if err := c.DeleteNamespace(ctx, name); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{ownLabel: "true", securityLabel: "restricted"},
	}}
	if err := c.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// DeleteNamespace removes a namespace and waits until it is gone.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	if err := c.DropNamespace(ctx, name); err != nil {
		return err
	}
	return c.AwaitGone(ctx, "namespace "+name, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// DropNamespace deletes a namespace and does not wait for its end.
func (c *Cluster) DropNamespace(ctx context.Context, name string) error {
	var namespace corev1.Namespace
	err := c.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if namespace.Labels[ownLabel] == "" {
		return fmt.Errorf("namespace %s is not the scenario's (it has no label %s): remove it, or use another cluster",
			name, ownLabel)
	}
	err = c.Delete(ctx, &namespace)
	// A conflict means that it is being deleted already.
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return nil
}

// AwaitGone waits until an object, of which only name and namespace need be set, is gone.
func (c *Cluster) AwaitGone(ctx context.Context, what string, object client.Object) error {
	_, err := Await(ctx, GoneWithin, what+" is gone", func(ctx context.Context) error {
		err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return fmt.Errorf("it is still there, deleted at %s", object.GetDeletionTimestamp())
		}
		return client.IgnoreNotFound(err)
	})
	return err
}
