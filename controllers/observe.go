package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

// statusDelay is how long the status of a Deployment may count a pod as ready that is not any more.
const statusDelay = 5 * time.Second

// view is one service and what belongs to it, as the caches and the gateways showed it at one moment.
type view struct {
	now     time.Time
	service *v1alpha1.LLMService
	// kinds are those that the cluster has.
	kinds render.Table
	// children are the service's, and those of a deleted service of its name. The ConfigMap is there no matter who owns it.
	children map[render.ChildKey]client.Object
	pods     []corev1.Pod
	load     load.ServiceLoad
	// confirmed is set once the API server has said that the service is not newer than this.
	confirmed bool
}

// observe fails with a NotFound error if there is no such service.
func (r *Reconciler) observe(ctx context.Context, key types.NamespacedName) (*view, error) {
	var service v1alpha1.LLMService
	if err := r.readService(ctx, key, &service); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", v1alpha1.Kind, key, err)
	}
	seen := &view{now: r.Now(), service: &service, load: r.Load(key)}
	var pods corev1.PodList
	err := r.Client.List(ctx, &pods,
		client.InNamespace(key.Namespace), client.MatchingFields{serviceIndex: key.Name})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", key, err)
	}
	seen.pods = pods.Items
	// The cache lists in no order, and messages that name pods must not change with it.
	slices.SortFunc(seen.pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return seen, r.observeChildren(ctx, seen)
}

// readService asks the API server for a service that is too large for the cache, or of which the cache shows an old version.
func (r *Reconciler) readService(ctx context.Context, key types.NamespacedName, service *v1alpha1.LLMService) error {
	err := r.Client.Get(ctx, key, service)
	if err != nil || !cached.Abridged(service) && !r.memories.about(service).isOutdated(service) {
		return err //nolint:wrapcheck // the caller names the service
	}
	*service = v1alpha1.LLMService{}
	return r.Uncached.Get(ctx, key, service) //nolint:wrapcheck // the caller names the service
}

// owns reports whether the object is there and is this very service's child, and not that of one of the same name.
func (v *view) owns(object client.Object) bool {
	return object != nil && metav1.IsControlledBy(object, v.service)
}

func (v *view) ownsChild(key render.ChildKey) bool { return v.owns(v.children[key]) }

// hasKind reports whether the cluster has one of the kinds of the table.
func (v *view) hasKind(kind schema.GroupVersionKind) bool {
	return slices.ContainsFunc(v.kinds, func(k render.Kind) bool { return k.GroupVersionKind == kind })
}

// wantedReplicas is what the spec asks for, or what there is to be already while the service is paused.
func (v *view) wantedReplicas() int32 {
	if v.paused() && v.ownsChild(render.GatewaysKey(v.service.Name)) {
		return replicasOf(v.deployment())
	}
	return specReplicas(v.service)
}

// specReplicas is what the spec asks for; the API sets a default.
func specReplicas(service *v1alpha1.LLMService) int32 {
	if service.Spec.Replicas == nil {
		return 1
	}
	return *service.Spec.Replicas
}

// lastCut is the latest cut of this service's streams: one that a deleted service of the same name suffered is not.
func (v *view) lastCut() *load.Cut {
	if cut := v.load.LastCut; cut != nil && !cut.PodCreated.Before(v.service.CreationTimestamp.Time) {
		return cut
	}
	return nil
}

// unseenPods is the number of pods that the Deployment calls ready and that no watch has shown yet: what they serve is not
// known. A pod that was seen to be ready counts for statusDelay longer, because the Deployment's status follows it with a
// delay; again is when one ceases to count, zero if none does.
func (v *view) unseenPods() (unseen int32, again time.Duration) {
	deployment := v.deployment()
	if deployment == nil || !v.owns(deployment) {
		return 0, 0
	}
	unseen = min(deployment.Status.ReadyReplicas, v.wantedReplicas())
	for i := range v.load.Pods {
		pod := &v.load.Pods[i]
		wait := statusDelay - v.now.Sub(pod.ReadyUntil)
		switch {
		case !pod.ReadySince.IsZero(), !pod.Seen.IsZero() && !pod.Terminating:
			unseen--
		case wait > 0:
			unseen--
			again = soonest(again, wait)
		}
	}
	return max(0, unseen), again
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
