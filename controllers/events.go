package controllers

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// maxNote is what the API takes (k8s.io/api/events/v1: at most 1 kB).
const maxNote = 1000

// The reasons of events.
const (
	EventConfigInvalid = "ConfigInvalid"
	EventConfigApplied = "ConfigApplied"
	EventSecretMissing = "SecretMissing"
	EventKeyRefused    = "KeyRefused"
	EventChildConflict = "ChildConflict"
	EventOverridden    = "Overridden"
	EventReplicaFailed = "ReplicaFailed"
	EventScaledUp      = "ScaledUp"
	EventScaledDown    = "ScaledDown"
	EventStreamsCut    = "StreamsCut"
	EventPaused        = "Paused"
	EventResumed       = "Resumed"
	// EventRolloutReleased ends what ConditionRolloutHeld says.
	EventRolloutReleased = "RolloutReleased"
	// EventNotObserved is about a service that the operator cannot look at.
	EventNotObserved = "NotObserved"
	// EventStaysOut is about the Deployment of the operator's own installation.
	EventStaysOut = "StaysOut"
)

func (r *Reconciler) emit(seen *view, kind, reason, action, note string) {
	r.Events.Eventf(seen.service, nil, kind, reason, action, "%s", cut(note, maxNote))
}

// tellScaled emits an event for a change of the number of replicas, as soon as it was written: no status records it, and
// once the Deployment has the number, nothing else does.
func (r *Reconciler) tellScaled(seen *view, from, to int32) {
	reason := EventScaledUp
	if to < from {
		reason = EventScaledDown
	}
	r.emit(seen, corev1.EventTypeNormal, reason, "Scale", fmt.Sprintf("From %d to %d replicas", from, to))
}

// tell emits an event for each transition between two statuses. The obstacles are those that the status after reports.
func (r *Reconciler) tell(seen *view, before, after *v1alpha1.LLMServiceStatus, obstacles []problem) {
	emit := func(kind, reason, action, note string) { r.emit(seen, kind, reason, action, note) }
	if message, ok := became(before, after, v1alpha1.ConditionConfigValid,
		v1alpha1.ReasonInvalid, v1alpha1.ReasonNotAllowed, v1alpha1.ReasonTooLarge, v1alpha1.ReasonTooSlow,
		v1alpha1.ReasonCompileDied); ok {
		emit(corev1.EventTypeWarning, EventConfigInvalid, "Validate", message)
	}
	for reason, event := range map[string]string{
		v1alpha1.ReasonSecretMissing: EventSecretMissing, v1alpha1.ReasonKeyRefused: EventKeyRefused,
	} {
		if message, ok := newly(before, after, v1alpha1.ConditionConfigApplied, reason); ok {
			emit(corev1.EventTypeWarning, event, "Acknowledge", message)
		}
	}
	for _, o := range obstacles {
		event := obstacleEvents[o.reason]
		if event != "" && !toldOfObstacle(before, o) {
			emit(corev1.EventTypeWarning, event, "Apply", o.message)
		}
	}
	if message, ok := newlyHindered(before, after); ok {
		emit(corev1.EventTypeWarning, EventReplicaFailed, "Scale", message)
	}
	if message, ok := newly(before, after, v1alpha1.ConditionPaused, v1alpha1.ReasonPaused); ok {
		emit(corev1.EventTypeNormal, EventPaused, "Reconcile", message)
	}
	if message, ok := newly(after, before, v1alpha1.ConditionPaused, v1alpha1.ReasonPaused); ok {
		emit(corev1.EventTypeNormal, EventResumed, "Reconcile", "No longer paused. Before: "+message)
	}
	r.tellReleased(seen, before, after)
	if message, ok := newlyApplied(before, after); ok {
		emit(corev1.EventTypeNormal, EventConfigApplied, "Acknowledge", message)
	}
	if cut := reportedCut(after); cut != nil && (reportedCut(before) == nil || *reportedCut(before) != *cut) {
		emit(corev1.EventTypeWarning, EventStreamsCut, "Serve",
			fmt.Sprintf("Pod %s ended with %d open streams (%s)", cut.Pod, cut.Count, cut.Reason))
	}
}

// obstacleEvents are emitted even if something else is in the way, too, and gives Stalled its reason.
var obstacleEvents = map[string]string{
	v1alpha1.ReasonChildConflict: EventChildConflict, v1alpha1.ReasonOverridden: EventOverridden,
}

// toldOfObstacle reports whether a status already reports an obstacle. If admission changes something, the message may differ,
// because it names the fields.
func toldOfObstacle(status *v1alpha1.LLMServiceStatus, o problem) bool {
	words := o.message
	if o.reason == v1alpha1.ReasonOverridden {
		words = admissionChanged
	}
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	return stalled != nil && strings.Contains(stalled.Message, words[:min(len(words), leastObstacle)])
}

// became returns a condition's message if its reason became one of these, or its message changed.
func became(before, after *v1alpha1.LLMServiceStatus, kind string, reasons ...string) (string, bool) {
	now := meta.FindStatusCondition(after.Conditions, kind)
	if now == nil {
		return "", false
	}
	old := meta.FindStatusCondition(before.Conditions, kind)
	for _, reason := range reasons {
		if now.Reason == reason && (old == nil || old.Reason != reason || old.Message != now.Message) {
			return now.Message, true
		}
	}
	return "", false
}

// newly returns a condition's message if it has a reason that it did not have. If only the message changes, because it names
// other pods, only the status shows that.
func newly(before, after *v1alpha1.LLMServiceStatus, kind, reason string) (string, bool) {
	now, old := meta.FindStatusCondition(after.Conditions, kind), meta.FindStatusCondition(before.Conditions, kind)
	if now == nil || now.Reason != reason || old != nil && old.Reason == reason {
		return "", false
	}
	return now.Message, true
}

// newlyHindered reports that replicas cannot be created or started any more. It does so once, although its words change.
func newlyHindered(before, after *v1alpha1.LLMServiceStatus) (string, bool) {
	now := hindered(after)
	return now, now != "" && hindered(before) == ""
}

// hindered is the message of a status about replicas that cannot be created or started, in whichever condition it is.
func hindered(status *v1alpha1.LLMServiceStatus) string {
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		c := meta.FindStatusCondition(status.Conditions, kind)
		if c != nil && (strings.Contains(c.Message, cannotCreate) || strings.Contains(c.Message, cannotStart)) {
			return c.Message
		}
	}
	return ""
}

// newlyApplied reports that every replica now serves a revision, for the first time.
func newlyApplied(before, after *v1alpha1.LLMServiceStatus) (string, bool) {
	if after.Config == nil || after.Config.Acknowledged == 0 ||
		!meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionConfigApplied) {
		return "", false
	}
	told := before.Config != nil && before.Config.Revision == after.Config.Revision && before.Config.Acknowledged > 0 &&
		meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionConfigApplied)
	return meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionConfigApplied).Message, !told
}

func reportedCut(status *v1alpha1.LLMServiceStatus) *v1alpha1.StreamCut {
	if status.Streams == nil {
		return nil
	}
	return status.Streams.LastCut
}
