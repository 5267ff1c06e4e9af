package scenario

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
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

// DeleteNamespace removes a namespace and waits until it is gone. Its services go first, and their pods with them:
// a namespace that is deleted with pods in it waits for half of their grace period, whether they use it or not.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	own, err := c.ownNamespace(ctx, name)
	if own == nil || err != nil {
		return err
	}
	err = c.DeleteAllOf(ctx, &v1alpha1.LLMService{}, client.InNamespace(name))
	if err != nil && !meta.IsNoMatchError(err) { // the kind comes with the chart
		return fmt.Errorf("delete LLMServices of namespace %s: %w", name, err)
	}
	if err := c.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(name)); err != nil {
		return fmt.Errorf("delete Deployments of namespace %s: %w", name, err)
	}
	_, err = Await(ctx, GoneWithin, "no pod is left in namespace "+name, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(name)); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d pods are left", len(pods.Items))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.DropNamespace(ctx, name); err != nil {
		return err
	}
	return c.AwaitGone(ctx, "namespace "+name, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// DropNamespace deletes a namespace and does not wait for its end.
func (c *Cluster) DropNamespace(ctx context.Context, name string) error {
	namespace, err := c.ownNamespace(ctx, name)
	if namespace == nil || err != nil {
		return err
	}
	err = c.Delete(ctx, namespace)
	// A conflict means that it is being deleted already.
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return nil
}

// ownNamespace reads a namespace: nil if it does not exist, and an error if no scenario made it.
func (c *Cluster) ownNamespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	var namespace corev1.Namespace
	err := c.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	if err != nil {
		return nil, fmt.Errorf("get namespace %s: %w", name, err)
	}
	if namespace.Labels[ownLabel] == "" {
		return nil, fmt.Errorf("namespace %s is not the scenario's (it has no label %s): remove it, or use another cluster",
			name, ownLabel)
	}
	return &namespace, nil
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
