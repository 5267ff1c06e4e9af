//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/scenario"
)

// children are what the table renders for the service, named but not read.
func children(ctx context.Context, t *testing.T, f *fixture) []client.Object {
	t.Helper()
	var service v1alpha1.LLMService
	ok(t, cluster.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: f.Name()}, &service))
	var objects []client.Object
	for _, child := range must(render.Kinds().Children(render.Input{Service: &service, Gateway: render.GatewaySettings{Image: "gateway"}}))(t) {
		object := must(cluster.Scheme().New(child.GroupVersionKind))(t).(client.Object)
		object.SetNamespace(child.Namespace)
		object.SetName(child.Name)
		objects = append(objects, object)
	}
	return objects
}

func kind(o client.Object) string { return fmt.Sprintf("%T", o) }

// TestChildrenAreRestored deletes each child by hand, and changes some: all become what they were.
func TestChildrenAreRestored(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "restored", asItIs)
	for _, child := range children(ctx, t, f) {
		t.Run("deleted "+kind(child), func(t *testing.T) {
			ok(t, cluster.Get(ctx, client.ObjectKeyFromObject(child), child))
			old := child.GetUID()
			ok(t, cluster.Delete(ctx, child))
			must(scenario.Await(ctx, scenario.RestoredWithin, kind(child)+" is back", func(ctx context.Context) error {
				if err := cluster.Get(ctx, client.ObjectKeyFromObject(child), child); err != nil {
					return err
				}
				if child.GetUID() == old || child.GetDeletionTimestamp() != nil {
					return errors.New("it is the deleted one")
				}
				return nil
			}))(t)
		})
	}
	must(f.AwaitReady(ctx))(t)
	for name, c := range changes(f) {
		t.Run("changed "+name, func(t *testing.T) {
			ok(t, cluster.Get(ctx, client.ObjectKeyFromObject(c.object), c.object))
			before := c.object.DeepCopyObject().(client.Object)
			c.change()
			ok(t, cluster.Patch(ctx, c.object, client.MergeFrom(before)))
			must(scenario.Await(ctx, scenario.RestoredWithin, name+" is as it was", func(ctx context.Context) error {
				if err := cluster.Get(ctx, client.ObjectKeyFromObject(c.object), c.object); err != nil {
					return err
				}
				return c.restored()
			}))(t)
		})
	}
	must(f.AwaitReady(ctx))(t)
}

// change is something that a hand does to a child.
type change struct {
	object   client.Object
	change   func()
	restored func() error
}

func changes(f *fixture) map[string]change {
	key := func(o client.Object) {
		o.SetNamespace(f.namespace)
		o.SetName(f.Name())
	}
	service, deployment, hpa := &corev1.Service{}, &appsv1.Deployment{}, &autoscalingv2.HorizontalPodAutoscaler{}
	key(service)
	key(deployment)
	key(hpa)
	return map[string]change{
		"Service's port": {
			service,
			func() { service.Spec.Ports[0].TargetPort = intstr.FromInt32(1) },
			func() error { return unequal("targetPort", service.Spec.Ports[0].TargetPort.String(), "http") },
		},
		"Deployment's arguments": {
			deployment,
			func() { deployment.Spec.Template.Spec.Containers[0].Args = []string{"--help"} },
			func() error {
				if slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, "--help") {
					return errors.New("the argument is still there")
				}
				return nil
			},
		},
		"autoscaler's bound": {
			hpa,
			func() { hpa.Spec.MaxReplicas = 99 },
			func() error {
				if hpa.Spec.MaxReplicas == 99 {
					return errors.New("maxReplicas is still 99")
				}
				return nil
			},
		},
		"Deployment's labels": {
			deployment,
			func() { deployment.Labels["app.kubernetes.io/managed-by"] = "hand" },
			func() error { return unequal("label", deployment.Labels["app.kubernetes.io/managed-by"], "llmservice") },
		},
	}
}

func unequal(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s is %q, want %q", what, got, want)
	}
	return nil
}

// TestDeletedServiceLeavesNothing deletes a service; Kubernetes' own garbage collection takes what it had.
func TestDeletedServiceLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "deleted", asItIs)
	all := children(ctx, t, f)
	for _, child := range all {
		ok(t, cluster.Get(ctx, client.ObjectKeyFromObject(child), child))
	}
	pods := must(f.Live(ctx))(t)
	ok(t, f.Delete(ctx))
	for i := range pods {
		all = append(all, &pods[i])
	}
	for _, child := range all {
		must(scenario.Await(ctx, scenario.GoneWithin, kind(child)+" "+child.GetName()+" is gone", func(ctx context.Context) error {
			err := cluster.Get(ctx, client.ObjectKeyFromObject(child), child)
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New("it is still there"), err)
		}))(t)
	}
}
