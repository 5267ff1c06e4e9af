package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/rollout"
)

// A service that waits says so, and is as ready as it was. Before every service was looked at, nothing is said.
func TestRolloutHeld(t *testing.T) {
	for _, tt := range []struct {
		standing rollout.Standing
		paused   bool
		want     string
	}{
		{standing: rollout.Free},
		{standing: rollout.Called},
		{standing: rollout.Unheard},
		{standing: rollout.Waiting, want: v1alpha1.ReasonWaitingForTurn},
		{standing: rollout.Halted, want: v1alpha1.ReasonRolloutFailed},
		{standing: rollout.Waiting, paused: true},
	} {
		f := steady()
		f.standing = tt.standing
		if tt.paused {
			f.pause = &pause{}
		}
		conditions, reason := conditionsOf(f), ""
		if held := meta.FindStatusCondition(conditions, v1alpha1.ConditionRolloutHeld); held != nil {
			reason = held.Reason
			if held.Status != metav1.ConditionTrue {
				t.Errorf("%s: the condition is %s", tt.standing, held.Status)
			}
		}
		if reason != tt.want {
			t.Errorf("%s, paused %v: the reason is %q, want %q", tt.standing, tt.paused, reason, tt.want)
		}
		if !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
			t.Errorf("%s: the service is not ready", tt.standing)
		}
	}
}

// When a turn ends, and whose turn can say something of the new template.
func TestStateOfADeployment(t *testing.T) {
	deadline := []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: progressDeadlineExceeded}}
	for _, tt := range []struct {
		name   string
		wanted int32
		status appsv1.DeploymentStatus
		want   rollout.State
	}{
		{"done", 2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}, rollout.State{Whole: true}},
		{"not begun", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}, rollout.State{Turn: rollout.TurnTaken}},
		{"under way", 2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 2}, rollout.State{Turn: rollout.TurnTaken}},
		{"stuck", 2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 2, Conditions: deadline}, rollout.State{Turn: rollout.TurnTaken, Stuck: true}},
		{"replaced, but none is available", 2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2}, rollout.State{Turn: rollout.TurnTaken}},
		{"replaced, and one more is added", 3, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 2}, rollout.State{}},
		{"without replicas", 0, appsv1.DeploymentStatus{ObservedGeneration: 3}, rollout.State{Empty: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			service := &v1alpha1.LLMService{Spec: v1alpha1.LLMServiceSpec{Replicas: &tt.wanted}}
			live := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "d", Generation: 3}, Status: tt.status}
			got := new(Reconciler).stateOf(&view{service: service}, live, rollout.TurnTaken, false)
			tt.want.Deployment, tt.want.Generation = "d", 3
			if got != tt.want {
				t.Errorf("the state is %+v, want %+v", got, tt.want)
			}
		})
	}
}
