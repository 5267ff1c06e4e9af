package controllers

import (
	"context"
	"fmt"
	"math"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/controllers/render"
)

// applyDeployment writes the Deployment. Where it loses replicas, its pods are priced first: the ReplicaSet picks its
// victims as soon as it reads the new number.
func (r *Reconciler) applyDeployment(
	ctx context.Context, seen *view, exists bool, child *render.Child, result *outcome,
) error {
	from, to := seen.liveReplicas(), seen.wantedReplicas()
	if to < from {
		if err := r.priceDeletions(ctx, seen); err != nil {
			return err
		}
	}
	if err := r.write(ctx, seen, exists, child); err != nil {
		return err
	}
	if seen.deployment != nil && to != from {
		result.scaledFrom = &from
	}
	return nil
}

// priceDeletions tells the ReplicaSet which pods to delete first: those with the fewest requests in flight.
func (r *Reconciler) priceDeletions(ctx context.Context, seen *view) error {
	for _, pod := range seen.livePods() {
		known, _ := seen.load.Pod(pod.UID)
		cost := strconv.FormatInt(min(known.Status.InFlight, math.MaxInt32), 10)
		if err := r.annotate(ctx, pod, corev1.PodDeletionCost, cost); err != nil {
			return fmt.Errorf("price the deletion of pod %s: %w", pod.Name, err)
		}
	}
	return nil
}
