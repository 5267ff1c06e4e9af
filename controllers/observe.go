package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// view is one service and what belongs to it, as the caches and the gateways showed it at one moment. A child is nil
// where there is none; it may belong to somebody else.
type view struct {
	now        time.Time
	service    *v1alpha1.LLMService
	account    *corev1.ServiceAccount
	configMap  *corev1.ConfigMap
	front      *corev1.Service
	budget     *policyv1.PodDisruptionBudget
	deployment *appsv1.Deployment
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
	pods       []corev1.Pod
	load       load.Snapshot
	// confirmed is set once the API server has said that the service is not newer than this.
	confirmed bool
}

// observe fails with a NotFound error where there is no such service.
func (r *Reconciler) observe(ctx context.Context, key types.NamespacedName) (*view, error) {
	var service v1alpha1.LLMService
	if err := r.readService(ctx, key, &service); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", v1alpha1.Kind, key, err)
	}
	seen := &view{now: r.Now(), service: &service, load: r.Load(key)}
	var pods corev1.PodList
	err := r.Client.List(ctx, &pods,
		client.InNamespace(key.Namespace), client.MatchingLabelsSelector{Selector: render.Selector(&service)})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", key, err)
	}
	seen.pods = pods.Items
	// The cache lists in no order, and messages that name pods must not change with it.
	slices.SortFunc(seen.pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return seen, r.observeChildren(ctx, seen)
}

// readService asks the API server for a service that is too large for the cache.
func (r *Reconciler) readService(ctx context.Context, key types.NamespacedName, service *v1alpha1.LLMService) error {
	if err := r.Client.Get(ctx, key, service); err != nil || !cached.Abridged(service) {
		return err //nolint:wrapcheck // the caller names the service
	}
	*service = v1alpha1.LLMService{}
	return r.Uncached.Get(ctx, key, service) //nolint:wrapcheck // the caller names the service
}

func (r *Reconciler) observeChildren(ctx context.Context, seen *view) error {
	name := seen.service.Name
	for _, err := range []error{
		read(ctx, r, seen, name, &seen.account),
		r.readDocuments(ctx, seen),
		read(ctx, r, seen, name, &seen.front),
		read(ctx, r, seen, name, &seen.budget),
		read(ctx, r, seen, name, &seen.deployment),
		read(ctx, r, seen, name, &seen.autoscaler),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// readDocuments asks the API server where the cache has no ConfigMap: what was delivered decides what is delivered next,
// and a cache that lags must not make that lost.
func (r *Reconciler) readDocuments(ctx context.Context, seen *view) error {
	name := delivery.ConfigMapName(seen.service.Name)
	if err := read(ctx, r, seen, name, &seen.configMap); err != nil || seen.configMap != nil {
		return err
	}
	return readFrom(ctx, r.Uncached, seen, name, &seen.configMap)
}

// read sets child to the object of its kind and this name, and leaves it nil where there is none. Of a child of ours that is
// too large for the cache it asks the API server; of what is not ours no more is needed than that.
func read[T any, P interface {
	*T
	client.Object
}](ctx context.Context, r *Reconciler, seen *view, name string, child *P) error {
	if err := readFrom(ctx, r.Client, seen, name, child); err != nil || *child == nil {
		return err
	}
	if !cached.Abridged(*child) || !seen.owns(*child) {
		return nil
	}
	*child = nil
	return readFrom(ctx, r.Uncached, seen, name, child)
}

func readFrom[T any, P interface {
	*T
	client.Object
}](ctx context.Context, from client.Reader, seen *view, name string, child *P) error {
	object := P(new(T))
	err := from.Get(ctx, types.NamespacedName{Namespace: seen.service.Namespace, Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read %T %s: %w", object, name, err)
	}
	*child = object
	return nil
}

// child returns the live object of a rendered child, or nil.
func (v *view) child(kind string) client.Object {
	switch {
	case kind == "ServiceAccount" && v.account != nil:
		return v.account
	case kind == "ConfigMap" && v.configMap != nil:
		return v.configMap
	case kind == "Service" && v.front != nil:
		return v.front
	case kind == "PodDisruptionBudget" && v.budget != nil:
		return v.budget
	case kind == "Deployment" && v.deployment != nil:
		return v.deployment
	case kind == "HorizontalPodAutoscaler" && v.autoscaler != nil:
		return v.autoscaler
	default:
		return nil
	}
}

// owns says whether the object is there and is this very service's child, and not that of one of the same name.
func (v *view) owns(object client.Object) bool {
	return object != nil && metav1.IsControlledBy(object, v.service)
}

// wantedReplicas is what the spec asks for; the API sets a default.
func (v *view) wantedReplicas() int32 {
	if v.service.Spec.Replicas == nil {
		return 1
	}
	return *v.service.Spec.Replicas
}

// lastCut is the latest cut of this service's streams: one that a deleted service of the same name suffered is not.
func (v *view) lastCut() *load.Cut {
	if cut := v.load.LastCut; cut != nil && !cut.PodCreated.Before(v.service.CreationTimestamp.Time) {
		return cut
	}
	return nil
}

// livePods are those that run or will.
func (v *view) livePods() []*corev1.Pod {
	var live []*corev1.Pod
	for i := range v.pods {
		pod := &v.pods[i]
		if pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			live = append(live, pod)
		}
	}
	return live
}
