package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// applyDeployment writes the Deployment. If it loses replicas, its pods are priced first: the ReplicaSet picks its
// victims as soon as it reads the new number.
func (r *Reconciler) applyDeployment(ctx context.Context, w *wanted, result *outcome) error {
	from, to := replicasOf(w.live), w.seen.wantedReplicas()
	if to < from {
		// A pod that cannot be annotated must not hold up everybody else's change.
		if result.unpriced = r.priceDeletions(ctx, w.seen, int(from-to)); result.unpriced != nil {
			log.FromContext(ctx).Error(result.unpriced, "Scaling down although some pods could not be marked")
		}
	}
	written, err := r.write(ctx, w)
	if err != nil {
		return err
	}
	result.deployment = &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(written.Object, result.deployment); err != nil {
		return fmt.Errorf("decode the written Deployment: %w", err)
	}
	// Admission may have given it another number than was wanted.
	if now := replicasOf(result.deployment); w.live != nil && now != from {
		r.tellScaled(w.seen, from, now)
	}
	before, _ := w.live.(*appsv1.Deployment)
	r.memories.of(w.seen).wrote(before, result.deployment)
	r.wroteOrigin(w, result.deployment)
	return nil
}

// replicasOf is what a Deployment asks for; zero if there is none.
func replicasOf(live client.Object) int32 {
	deployment, ok := live.(*appsv1.Deployment)
	if !ok || deployment == nil || deployment.Spec.Replicas == nil {
		return 0
	}
	return *deployment.Spec.Replicas
}

// priceDeletions tells the ReplicaSets which pods to delete first. Every pod is tried; the errors of all are returned.
func (r *Reconciler) priceDeletions(ctx context.Context, seen *view, going int) error {
	return r.annotateAll(ctx, corev1.PodDeletionCost, deletionPrices(seen, going))
}

// deletionPrices makes those pods cheap that have the fewest requests in flight. Only the pods that may go are priced,
// below the zero of all others, so that the cost of scaling down by one does not grow with the number of pods. Any one
// ReplicaSet may lose all that go, so each has as many priced.
func deletionPrices(seen *view, going int) map[*corev1.Pod]string {
	live := seen.livePods()
	inFlight := make(map[*corev1.Pod]int64, len(live))
	for _, pod := range live {
		inFlight[pod] = seen.load.InFlightOf(pod.UID)
	}
	prices := map[*corev1.Pod]string{}
	for _, pods := range byReplicaSet(live) {
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(inFlight[a], inFlight[b]) })
		for i, pod := range pods {
			if _, priced := pod.Annotations[corev1.PodDeletionCost]; priced || i < going {
				prices[pod] = strconv.Itoa(min(i-going, 0))
			}
		}
	}
	return prices
}

// byReplicaSet groups the pods by the template that they were made from.
func byReplicaSet(pods []*corev1.Pod) map[string][]*corev1.Pod {
	groups := map[string][]*corev1.Pod{}
	for _, pod := range pods {
		template := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		groups[template] = append(groups[template], pod)
	}
	return groups
}
