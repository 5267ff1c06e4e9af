package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/rollout"
)

// turnsPage is how many Deployments are read at a time to learn which services have a turn.
const turnsPage = 500

// rollouts are the turns of all services. A nil one limits nothing.
type rollouts struct {
	*rollout.Turns

	queue requestQueue
	// opening is held while the API server is asked who has a turn.
	opening sync.Mutex
}

// newRollouts returns nil for a limit of 0.
func newRollouts(limit int, loadOf func(types.NamespacedName) load.ServiceLoad, now func() time.Time) *rollouts {
	if limit == 0 {
		return nil
	}
	r := &rollouts{}
	r.Turns = rollout.NewTurns(limit,
		func(service rollout.Service) (int64, bool) { return loadOf(service).InFlight() },
		func(service rollout.Service) { r.queue.Add(reconcile.Request{NamespacedName: service}) },
		now)
	reportedRollouts.Store(r.Turns)
	return r
}

// Start implements source.Source: no reconcile begins before it.
func (r *rollouts) Start(_ context.Context, queue requestQueue) error {
	r.queue = queue
	return nil
}

func (r *rollouts) begin(service types.NamespacedName) {
	if r != nil {
		r.Begin(service)
	}
}

// end takes in that a reconcile ended, and whether another one follows because this one did not get as far as the children, or had
// a view that was out of date.
func (r *rollouts) end(service types.NamespacedName, again bool) {
	if r != nil {
		r.Heard(service, again)
	}
}

// lost says that a service could not be looked at for so long that roll-outs of others go on without it.
func (r *rollouts) lost(service types.NamespacedName) bool { return r != nil && r.Lost(service) }

func (r *rollouts) forget(service types.NamespacedName) {
	if r != nil {
		r.Forget(service)
	}
}

func (r *rollouts) standing(service types.NamespacedName) rollout.Standing {
	if r == nil {
		return rollout.Free
	}
	return r.Standing(service)
}

// pause takes in that the operator leaves a service alone: whatever becomes of its pods concerns no other.
func (r *rollouts) pause(seen *view) {
	if r == nil {
		return
	}
	var state rollout.State
	if deployment := seen.deployment(); deployment != nil {
		state = rollout.State{Deployment: deployment.UID, Generation: deployment.Generation}
	}
	r.Ask(client.ObjectKeyFromObject(seen.service), state)
}

// originate records in a rendered Deployment what its template is made from. If it is not this service's turn to replace pods, the
// Deployment keeps the template that it has; all else in it is applied.
func (r *Reconciler) originate(ctx context.Context, w *wanted) error {
	wanted, err := originOf(w)
	if err != nil {
		return err
	}
	live, _ := w.live.(*appsv1.Deployment)
	if live != nil && live.Annotations[rollout.Annotation] == "" && live.Annotations[render.AppliedHashAnnotation] == w.Hash {
		return nil // an older release rendered the same: what is recorded can wait for the next write
	}
	if r.rollouts == nil || live == nil || !w.seen.owns(live) || !cached.Made(live) {
		return w.record(wanted)
	}
	has := rollout.ReadOrigin(live.Annotations[rollout.Annotation])
	wants := has.To(wanted) == rollout.OfOperator
	if wants {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	answer := r.rollouts.Ask(client.ObjectKeyFromObject(w.seen.service), r.stateOf(w.seen, live, has.Turn, wants))
	if wanted.Turn = answer.Turn; !answer.Standing.Held() {
		return w.record(wanted)
	}
	w.held = true
	unstructured.RemoveNestedField(w.rendered.Object, "spec", "template")
	w.annotate(render.AppliedHashAnnotation, live.Annotations[render.AppliedHashAnnotation])
	return w.record(has.Held(wanted))
}

// originOf is the origin of a Deployment's template as it is rendered.
func originOf(w *wanted) (rollout.Origin, error) {
	template, _, err := unstructured.NestedMap(w.rendered.Object, "spec", "template")
	if err != nil {
		return rollout.Origin{}, fmt.Errorf("read the rendered template: %w", err)
	}
	encoded, err := json.Marshal(template)
	if err != nil {
		return rollout.Origin{}, fmt.Errorf("encode the rendered template: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return rollout.Origin{Format: render.OriginFormat, Spec: w.Origin, Template: hex.EncodeToString(sum[:8])}, nil
}

func (w *wanted) record(origin rollout.Origin) error {
	encoded, err := origin.Encode()
	if err == nil {
		w.origin = origin
		w.annotate(rollout.Annotation, encoded)
	}
	return err
}

// annotate sets an annotation of what was rendered; empty removes it.
func (w *wanted) annotate(key, value string) {
	annotations := w.rendered.GetAnnotations()
	if value == "" {
		delete(annotations, key)
	} else {
		annotations[key] = value
	}
	w.rendered.SetAnnotations(annotations)
}

// stateOf is what a Deployment says of its pods.
func (r *Reconciler) stateOf(seen *view, live *appsv1.Deployment, turn rollout.Turn, wants bool) rollout.State {
	status, wanted := live.Status, seen.wantedReplicas()
	replaced := status.ObservedGeneration >= r.memories.of(seen).templateGeneration(live) && status.UpdatedReplicas >= status.Replicas
	if replaced && (status.AvailableReplicas > 0 || wanted == 0) {
		turn = ""
	}
	stuck := deadlineExceeded(live)
	return rollout.State{
		Deployment: live.UID, Generation: live.Generation,
		Wants: wants, Turn: turn, Stuck: stuck, Empty: wanted == 0,
		Whole: replaced && !stuck && status.Replicas > 0 && status.AvailableReplicas >= status.Replicas && uncreated(live) == "",
	}
}

// open reads once, from the API server itself, which services have a turn: a cache may not show yet what another leader wrote last.
func (r *Reconciler) open(ctx context.Context) error {
	r.rollouts.opening.Lock()
	defer r.rollouts.opening.Unlock()
	if r.rollouts.Opened() {
		return nil
	}
	var services v1alpha1.LLMServiceList
	if err := r.Client.List(ctx, &services, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list each %s: %w", v1alpha1.Kind, err)
	}
	all, recorded := make([]rollout.Service, 0, len(services.Items)), map[rollout.Service]rollout.State{}
	namespaces := map[string]struct{}{}
	for i := range services.Items {
		all = append(all, client.ObjectKeyFromObject(&services.Items[i]))
		namespaces[services.Items[i].Namespace] = struct{}{}
	}
	for namespace := range namespaces {
		if err := r.readTurns(ctx, namespace, recorded); err != nil {
			return fmt.Errorf("read the roll-outs in namespace %s: %w", namespace, err)
		}
	}
	r.rollouts.Open(all, recorded)
	return nil
}

// readTurns reads a namespace's, since an operator may have no right to all namespaces at once.
func (r *Reconciler) readTurns(ctx context.Context, namespace string, into map[rollout.Service]rollout.State) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
	for {
		err := r.Uncached.List(ctx, list, client.InNamespace(namespace), client.Limit(turnsPage), client.Continue(list.Continue),
			client.MatchingLabels{render.LabelName: render.GatewayName, render.LabelManagedBy: render.ManagedBy})
		if err != nil {
			return err //nolint:wrapcheck // the caller says what it is about
		}
		for i := range list.Items {
			deployment := &list.Items[i]
			owner := metav1.GetControllerOf(deployment)
			origin := rollout.ReadOrigin(deployment.Annotations[rollout.Annotation])
			if cached.IsService(owner) && origin.Turn != "" {
				into[rollout.Service{Namespace: namespace, Name: owner.Name}] = rollout.State{
					Deployment: deployment.UID, Generation: deployment.Generation, Turn: origin.Turn,
				}
			}
		}
		if list.Continue == "" {
			return nil
		}
	}
}

// wroteOrigin takes in that a Deployment was written as it was rendered.
func (r *Reconciler) wroteOrigin(w *wanted, written *appsv1.Deployment) {
	if r.rollouts == nil || w.held {
		return
	}
	r.rollouts.Wrote(client.ObjectKeyFromObject(w.seen.service), written.UID, written.Generation, w.origin.Turn)
}

// rolloutHeld is the condition of a service that keeps its pods' template for now; zero for any other.
func (f facts) rolloutHeld() metav1.Condition {
	held := func(reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionRolloutHeld, metav1.ConditionTrue, reason, heldBack+message)
	}
	switch {
	case f.pause != nil:
		return metav1.Condition{}
	case f.standing == rollout.Waiting:
		return held(v1alpha1.ReasonWaitingForTurn, "it waits until others have replaced theirs (--max-concurrent-rollouts)")
	case f.standing == rollout.Halted:
		return held(v1alpha1.ReasonRolloutFailed, "the new pods of a service that went first do not become available; "+
			"the metric llmservice_operator_rollouts and the condition Stalled of that service show it")
	default:
		return metav1.Condition{}
	}
}

const heldBack = "The operator itself, and not the spec, asks for other pods. The service keeps those that it has for now: "

// tellReleased emits an event for a service whose pods are no longer held back.
func (r *Reconciler) tellReleased(seen *view, before, after *v1alpha1.LLMServiceStatus) {
	held := func(status *v1alpha1.LLMServiceStatus) bool {
		return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionRolloutHeld)
	}
	if held(before) && !held(after) && !seen.paused() {
		r.emit(seen, corev1.EventTypeNormal, EventRolloutReleased, "Reconcile", "The pods' template is no longer held back")
	}
}

// tellLost emits an event for a service for which roll-outs of others no longer wait. Its status cannot be written, so nothing
// else names it.
func (r *Reconciler) tellLost(ctx context.Context, name types.NamespacedName) {
	service := &v1alpha1.LLMService{}
	if err := r.Client.Get(ctx, name, service); err != nil {
		return // the error of the reconcile, which is logged, names it
	}
	r.emit(&view{service: service}, corev1.EventTypeWarning, EventNotObserved, "Reconcile", fmt.Sprintf(
		"The operator has not been able to look at it for %s; roll-outs of others no longer wait for it. "+
			"The operator's log has the reason",
		rollout.LookWithin))
}
