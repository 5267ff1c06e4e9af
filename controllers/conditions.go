package controllers

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/rollout"
)

const (
	// maxMessage bounds a condition's message well below what the API takes.
	maxMessage = 2048
	// leastObstacle is how many bytes at least a message repeats of each of several obstacles.
	leastObstacle = 256
	// admissionChanged introduces what admission changed.
	admissionChanged = "Admission changed the applied objects: "
)

// facts are what the conditions are about.
type facts struct {
	problem  *problem
	applyErr error
	// undelivered says that the spec's config could not be put where gateways find it.
	undelivered bool
	// overridden says in which fields the cluster gave children, or pods, something else than the service needs.
	overridden []string
	// unstarted is the reason why a pod cannot run; zero if all can.
	unstarted problem
	// unpriced is the reason why pods could not be priced before a scale-down.
	unpriced     error
	acknowledged acknowledgement
	wanted       int32
	// deployment and autoscaler are ours, or nil. The Deployment is as the last write left it.
	deployment *appsv1.Deployment
	// template is the generation from which the Deployment has had its pods' template.
	template   int64
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
	scaling    *v1alpha1.Scaling
	// metricsAPI is what keeps the HPA controller from reading in-flight; empty if nothing does.
	metricsAPI string
	// futile names the metric that can never make the autoscaler add a replica; nil if all can.
	futile *problem
	// route is the HTTPRoute that is wanted; nil if none is.
	route *route
	// lacking says of which optional kinds the service wants objects that the operator cannot make, and why.
	lacking []string
	// pause is what the operator leaves undone; nil if the service is not paused.
	pause *pause
	// standing is where the service stands among those whose pods the operator wants to replace.
	standing rollout.Standing
}

// conditionsOf returns every condition that applies, without times. Reconciling and Stalled are there only while they
// are true, as kstatus has them.
func conditionsOf(f facts) []metav1.Condition {
	valid, applied, available := f.configValid(), f.configApplied(), f.available()
	conditions := []metav1.Condition{valid, applied, available, f.scalable()}
	routed := f.route.accepted()
	for _, optional := range []metav1.Condition{routed, f.pause.condition(), f.rolloutHeld()} {
		if optional.Type != "" {
			conditions = append(conditions, optional)
		}
	}
	stalled, isStalled := stalledFor(f.obstacles())
	ready := f.ready(stalled, available, applied, routed)
	conditions = append([]metav1.Condition{ready}, conditions...)
	if isStalled {
		return append(conditions, stalled)
	}
	if reason, message, busy := f.reconciling(ready); busy {
		conditions = append(conditions, condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message))
	}
	return conditions
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: cut(message, maxMessage)}
}

// cut shortens a text to at most that many bytes, and marks that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

func (f facts) configValid() metav1.Condition {
	if f.problem != nil {
		return condition(v1alpha1.ConditionConfigValid, metav1.ConditionFalse, f.problem.reason, f.problem.message)
	}
	return condition(v1alpha1.ConditionConfigValid, metav1.ConditionTrue, v1alpha1.ReasonValid, "The spec can be served")
}

func (f facts) configApplied() metav1.Condition {
	applied := func(status metav1.ConditionStatus, reason, format string, args ...any) metav1.Condition {
		return condition(v1alpha1.ConditionConfigApplied, status, reason, fmt.Sprintf(format, args...))
	}
	a := f.acknowledged
	switch {
	case f.pause.holdsConfig():
		return applied(metav1.ConditionFalse, v1alpha1.ReasonPaused, "%s", f.pause.message())
	case f.undelivered:
		return applied(metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "%s", inOneLine(f.applyErr))
	case a.revision == "":
		return applied(metav1.ConditionFalse, v1alpha1.ReasonNoConfig, "There has been no valid configuration yet")
	case len(a.rejected) > 0:
		return applied(metav1.ConditionFalse, v1alpha1.ReasonRejected, "%s", strings.Join(a.rejected, "; "))
	case a.acknowledged < a.replicas, a.replicas == 0 && f.wanted > 0:
		return applied(metav1.ConditionFalse, v1alpha1.ReasonPending,
			"%d of %d replicas serve revision %s%s", a.acknowledged, a.replicas, a.revision, but(a.unreminded))
	case len(a.missing) > 0:
		return applied(metav1.ConditionFalse, v1alpha1.ReasonSecretMissing, "Missing: %s", strings.Join(a.missing, "; "))
	case len(a.refused) > 0:
		return applied(metav1.ConditionFalse, v1alpha1.ReasonKeyRefused, "With 401 or 403, %s", strings.Join(a.refused, "; "))
	default:
		return applied(metav1.ConditionTrue, v1alpha1.ReasonAcknowledged, "Every replica serves revision %s", a.revision)
	}
}

func (f facts) available() metav1.Condition {
	available := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionAvailable, status, reason, message)
	}
	if f.deployment == nil {
		return available(metav1.ConditionFalse, v1alpha1.ReasonUnavailable, "There is no Deployment")
	}
	if f.wanted == 0 {
		return available(metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, "No replicas are wanted")
	}
	have, need, hindrance := f.availableReplicas(), f.needed(), f.hindrance()
	message := fmt.Sprintf("%d replicas accept requests, at least %d should%s", have, need, hindrance.message)
	switch {
	case have >= need:
		return available(metav1.ConditionTrue, v1alpha1.ReasonAvailable, fmt.Sprintf("At least %d replicas accept requests", need))
	case hindrance.reason != "":
		return available(metav1.ConditionFalse, hindrance.reason, message)
	case deadlineExceeded(f.deployment):
		return available(metav1.ConditionFalse, v1alpha1.ReasonDeadlineExceeded, message)
	default:
		return available(metav1.ConditionFalse, v1alpha1.ReasonUnavailable, message)
	}
}

// availableReplicas are those of the Deployment, without the replicas that it was just told to remove: its status follows later.
func (f facts) availableReplicas() int32 {
	have := f.deployment.Status.AvailableReplicas
	if asked := f.deployment.Spec.Replicas; asked != nil {
		return min(have, *asked)
	}
	return have
}

// needed is how many replicas make the service available: the autoscaler's minimum, which it will ask for if fewer are
// wanted now.
func (f facts) needed() int32 {
	if f.scaling == nil {
		return 1
	}
	return max(1, f.scaling.MinReplicas)
}

// progressDeadlineExceeded is the Deployment controller's word.
const progressDeadlineExceeded = "ProgressDeadlineExceeded"

// deadlineExceeded says that the Deployment, as it is now, made no progress for too long.
func deadlineExceeded(deployment *appsv1.Deployment) bool {
	c := deploymentCondition(deployment, appsv1.DeploymentProgressing)
	return deployment.Status.ObservedGeneration >= deployment.Generation &&
		c.Status == corev1.ConditionFalse && c.Reason == progressDeadlineExceeded
}

// deploymentCondition is zero if there is none of the kind.
func deploymentCondition(deployment *appsv1.Deployment, kind appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, c := range deployment.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return appsv1.DeploymentCondition{}
}

// but adds a write that failed to a message.
func but(err error) string {
	if err == nil {
		return ""
	}
	return "; " + err.Error()
}

// scalable repeats the autoscaler's own condition, or the reason why it cannot read our metric if we know that better.
func (f facts) scalable() metav1.Condition {
	scaling := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionScaling, status, reason, message)
	}
	switch {
	case f.scaling == nil:
		return scaling(metav1.ConditionFalse, v1alpha1.ReasonManual,
			"spec.scaling is absent: spec.replicas keeps the number that was written")
	case f.pause != nil:
		return scaling(metav1.ConditionFalse, v1alpha1.ReasonPaused, f.pause.message())
	case f.futile != nil:
		return scaling(metav1.ConditionFalse, f.futile.reason, f.futile.message)
	case f.metricsAPI != "" && usesInFlight(f.scaling):
		message := f.metricsAPI
		if len(f.scaling.Metrics) > 1 {
			message += "; with only its other metrics, the HorizontalPodAutoscaler scales up but never down"
		}
		return scaling(metav1.ConditionFalse, v1alpha1.ReasonMetricsAPIUnavailable, message)
	case f.autoscaler == nil:
		return scaling(metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "There is no HorizontalPodAutoscaler yet")
	}
	active, unread := false, unreadMetrics(f.autoscaler)
	for _, c := range f.autoscaler.Status.Conditions {
		switch {
		case c.Type == autoscalingv2.ScalingLimited:
		case c.Type == autoscalingv2.ScalingActive && unread != "":
			return scaling(metav1.ConditionFalse, v1alpha1.ReasonMetricUnreadable,
				"The HorizontalPodAutoscaler cannot read "+unread+": with only its other metrics, it scales up but never down")
		case c.Status == corev1.ConditionFalse:
			return scaling(metav1.ConditionFalse, c.Reason, c.Message)
		case c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionTrue:
			active = true
		}
	}
	if !active {
		return scaling(metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "The HorizontalPodAutoscaler has not read its metrics yet")
	}
	return scaling(metav1.ConditionTrue, v1alpha1.ReasonActive, "The HorizontalPodAutoscaler reads its metrics and scales")
}

func usesInFlight(scaling *v1alpha1.Scaling) bool {
	for i := range scaling.Metrics {
		if scaling.Metrics[i].Type == v1alpha1.MetricInFlight {
			return true
		}
	}
	return false
}

// stalledFor says that somebody has to help: its reason is the first of the obstacles that has one, and its message has them all.
func stalledFor(all []problem) (metav1.Condition, bool) {
	first := slices.IndexFunc(all, func(o problem) bool { return o.reason != "" })
	if first < 0 {
		return metav1.Condition{}, false
	}
	messages := make([]string, len(all))
	for i := range all {
		messages[i] = cut(all[i].message, maxMessage/len(all)-len("; ")-len(" …"))
	}
	return condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, all[first].reason, strings.Join(messages, "; ")), true
}

// obstacles are all that is in the way of the spec. Those without a reason do not stall it.
func (f facts) obstacles() []problem {
	var all []problem
	if f.problem != nil {
		all = append(all, *f.problem)
	}
	if f.applyErr != nil {
		all = append(all, f.unwritten())
	}
	if f.deployment != nil && deadlineExceeded(f.deployment) {
		progress := deploymentCondition(f.deployment, appsv1.DeploymentProgressing)
		all = append(all, problem{v1alpha1.ReasonDeadlineExceeded, progress.Message})
	}
	if len(f.overridden) > 0 {
		all = append(all, problem{v1alpha1.ReasonOverridden, admissionChanged + strings.Join(f.overridden, "; ")})
	}
	for _, message := range []string{f.hindrance().message, but(f.unpriced)} {
		if message != "" {
			all = append(all, problem{message: strings.TrimPrefix(message, "; ")})
		}
	}
	return all
}

// unwritten is what keeps children from being written.
func (f facts) unwritten() problem {
	obstacle := obstacle(f.applyErr)
	switch {
	case obstacle != nil && len(each(f.applyErr)) == 1:
		return problem{v1alpha1.ReasonChildConflict, obstacle.Error()}
	case obstacle != nil:
		return problem{v1alpha1.ReasonChildConflict, inOneLine(f.applyErr)}
	case refused(f.applyErr):
		return problem{v1alpha1.ReasonApplyFailed, inOneLine(f.applyErr)}
	default:
		return problem{message: inOneLine(f.applyErr)}
	}
}

// refused reports whether the API server will not take a child as it is; a failure that passes with time does not stall a service.
func refused(err error) bool {
	return slices.ContainsFunc(each(err), func(err error) bool {
		return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) && !admissionStarts(err) || apierrors.IsBadRequest(err)
	})
}

// admissionStarts says that the API server has just started: its admission knows no policies and webhooks yet, and therefore
// forbids everything. It says so in these words alone.
func admissionStarts(err error) bool {
	return strings.Contains(err.Error(), "not yet ready to handle request")
}

// inOneLine is the text of errors that were joined.
func inOneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// ready is the first of its parts that is not as it should be.
func (f facts) ready(stalled, available, applied, routed metav1.Condition) metav1.Condition {
	for _, part := range []metav1.Condition{stalled, f.unapplied(), f.pause.unready(), available, applied, routed} {
		failed := part.Type != "" && (part.Status == metav1.ConditionTrue) == (part.Type == v1alpha1.ConditionStalled)
		if failed {
			return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, part.Reason, part.Message)
		}
	}
	if message, rolling := f.rolling(); rolling {
		reason := cmp.Or(f.hindrance().reason, v1alpha1.ReasonProgressing)
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	}
	message := "The service serves the spec"
	if len(f.lacking) > 0 {
		message += ", except for what the cluster lacks. " + strings.Join(f.lacking, ". ")
	}
	return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, message)
}

// unapplied says that a child could not be written, in the form of a condition that is False; it is zero otherwise. The
// service then lacks something that the spec asks for, whatever the state of its other objects.
func (f facts) unapplied() metav1.Condition {
	if f.applyErr == nil {
		return metav1.Condition{}
	}
	reason := v1alpha1.ReasonApplyFailed
	if _, waiting := errors.AsType[*leftoverError](f.applyErr); waiting {
		reason = v1alpha1.ReasonProgressing
	}
	return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, inOneLine(f.applyErr))
}

// rolling says that replicas of an older template are being replaced, or that the Deployment has not been reconciled yet. A
// change of the number alone is not a roll-out: otherwise autoscaling would make the service unready over and over.
func (f facts) rolling() (string, bool) {
	if f.deployment == nil {
		return "", false
	}
	status := f.deployment.Status
	return fmt.Sprintf("%d of %d replicas are up to date%s", status.UpdatedReplicas, status.Replicas, f.hindrance().message),
		status.ObservedGeneration < f.template || status.UpdatedReplicas < status.Replicas
}

// reconciling says that the operator, or what it relies on, is on its way to what is wanted, or would be if it was not paused.
func (f facts) reconciling(ready metav1.Condition) (reason, message string, busy bool) {
	switch {
	case f.pause != nil && (ready.Reason == v1alpha1.ReasonPaused || f.pause.holdsReplicas()):
		return v1alpha1.ReasonPaused, f.pause.message(), true
	case ready.Status != metav1.ConditionTrue:
		return v1alpha1.ReasonProgressing, ready.Message, true
	}
	status := f.deployment.Status
	settled := status.ObservedGeneration >= f.deployment.Generation && status.Replicas == f.wanted &&
		status.AvailableReplicas == f.wanted && f.unpriced == nil
	message = fmt.Sprintf("%d of %d replicas accept requests%s%s",
		status.AvailableReplicas, f.wanted, f.hindrance().message, but(f.unpriced))
	return v1alpha1.ReasonProgressing, message, !settled
}
