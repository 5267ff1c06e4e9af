package controllers

import (
	"context"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

// cutInterval is the least time between two reports of cut streams: a lost node cuts many at once.
const cutInterval = time.Minute

// report writes the status if it changed, at most once, and emits events for transitions. It returns when something that has
// to wait is to be reported.
func (r *Reconciler) report(
	ctx context.Context, seen *view, documents documents, applied outcome, a acknowledgement,
) (time.Duration, error) {
	before, facts := seen.service.Status.DeepCopy(), r.factsOf(seen, documents, applied, a)
	after, wait := statusOf(seen, documents, facts)
	if !equality.Semantic.DeepEqual(before, after) {
		updated := seen.service.DeepCopy()
		updated.Status = *after
		// An update carries the resource version: a status that is derived from an old view is refused. The newer view
		// is on its way then, or the object's end, and comes as an event; unless the event was lost, or somebody else refused.
		err := r.Client.Status().Update(ctx, updated, client.FieldOwner(FieldOwner))
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			r.memories.of(seen).outdate(seen.service)
			return soonest(wait, staleRecheck), nil
		}
		if err != nil {
			return wait, fmt.Errorf("write the status of %s: %w", client.ObjectKeyFromObject(updated), err)
		}
	}
	reportedConditions.set(client.ObjectKeyFromObject(seen.service), after.Conditions)
	r.tell(seen, before, after, facts.obstacles())
	return wait, nil
}

// statusOf returns the status as it should be, and how long something that changed has to wait.
func statusOf(seen *view, documents documents, facts facts) (*v1alpha1.LLMServiceStatus, time.Duration) {
	service, a := seen.service, facts.acknowledged
	status := service.Status.DeepCopy()
	status.ObservedGeneration = service.Generation
	status.Selector = render.Selector(service).String()
	status.URL = render.URL(documents.served(service), seen.hasKind(render.RouteKind))
	status.GatewayVersion = seen.gatewayVersion()
	status.Config = nil
	if a.revision != "" {
		status.Config = &v1alpha1.ConfigStatus{Revision: a.revision, Acknowledged: a.acknowledged, Served: seen.wasServed(a.revision)}
	}
	if !documents.problem.lasts() {
		status.Compiling = nil
	}
	status.Replicas = 0
	if facts.deployment != nil {
		status.Replicas = facts.deployment.Status.Replicas
	}
	setConditions(status, conditionsOf(facts), service.Generation, seen.now)
	return status, setLastCut(status, seen.lastCut(), seen.now)
}

func (r *Reconciler) factsOf(seen *view, documents documents, applied outcome, a acknowledgement) facts {
	facts := facts{
		problem:      documents.problem,
		applyErr:     applied.err,
		undelivered:  applied.undelivered,
		unpriced:     applied.unpriced,
		unstarted:    seen.unstarted(),
		acknowledged: a,
		wanted:       seen.wantedReplicas(),
		scaling:      documents.served(seen.service).Spec.Scaling,
		metricsAPI:   r.metricsProblem(),
		futile:       seen.futile(documents.served(seen.service)),
		pause:        applied.pause,
		standing:     r.rollouts.standing(client.ObjectKeyFromObject(seen.service)),
	}
	facts.route = r.routeOf(seen, documents.served(seen.service))
	facts.lacking = r.lacking(seen, documents)
	if facts.deployment = applied.deployment; facts.deployment == nil && seen.ownsChild(render.GatewaysKey(seen.service.Name)) {
		facts.deployment = seen.deployment()
	}
	memory := r.memories.of(seen)
	facts.overridden = memory.overridden()
	if facts.deployment != nil {
		facts.template = memory.templateGeneration(facts.deployment)
	}
	if _, rolling := facts.rolling(); !rolling {
		facts.overridden = append(facts.overridden, seen.changedPods(facts.deployment)...)
	}
	if seen.ownsChild(render.AutoscalerKey(seen.service.Name)) {
		facts.autoscaler = seen.autoscaler()
	}
	return facts
}

func (r *Reconciler) metricsProblem() string {
	if r.MetricsAPI == nil {
		return "this operator was started without its metrics API"
	}
	return r.MetricsAPI().Message
}

// setConditions replaces the conditions; one whose status stays keeps its time.
func setConditions(status *v1alpha1.LLMServiceStatus, conditions []metav1.Condition, generation int64, now time.Time) {
	for _, old := range append([]metav1.Condition(nil), status.Conditions...) {
		if meta.FindStatusCondition(conditions, old.Type) == nil {
			meta.RemoveStatusCondition(&status.Conditions, old.Type)
		}
	}
	for _, condition := range conditions {
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = metav1.NewTime(now)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
}

// setLastCut reports the latest cut, and returns how long it has to wait if one was reported within cutInterval.
func setLastCut(status *v1alpha1.LLMServiceStatus, cut *load.Cut, now time.Time) time.Duration {
	if cut == nil {
		return 0
	}
	at := metav1.NewTime(cut.Time).Rfc3339Copy()
	if status.Streams != nil && status.Streams.LastCut != nil {
		told, wait := toldOf(*status.Streams.LastCut, cut, at.Time, now)
		switch {
		case told:
			return 0
		case wait > 0:
			return wait
		}
	}
	count := int32(min(cut.Count, math.MaxInt32)) //nolint:gosec // bounded in the same line
	status.Streams = &v1alpha1.StreamsStatus{LastCut: &v1alpha1.StreamCut{Time: at, Pod: cut.Pod, Count: count, Reason: cut.Reason}}
	return 0
}

// toldOf reports whether a cut was reported already, or how long it has to wait. A report from the future is of a leader
// whose clock was ahead: its time says nothing of what came first.
func toldOf(last v1alpha1.StreamCut, cut *load.Cut, at, now time.Time) (bool, time.Duration) {
	if last.Time.After(now) {
		return last.Pod == cut.Pod && last.Reason == cut.Reason && int64(last.Count) == cut.Count, 0
	}
	return !at.After(last.Time.Time), max(0, cutInterval-now.Sub(last.Time.Time))
}
