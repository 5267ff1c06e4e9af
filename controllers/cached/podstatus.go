package cached

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// maxOthers bounds how many containers next to the gateway are kept, such as sidecars that a mesh injects.
	maxOthers = 8
	// maxWords bounds what is kept of what the scheduler or a kubelet says.
	maxWords = 1024
)

// readConditions keeps whether the pod is ready, and why it is on no node.
func readConditions(conditions []corev1.PodCondition) []corev1.PodCondition {
	var kept []corev1.PodCondition
	for i := range conditions {
		switch c := &conditions[i]; {
		case c.Type == corev1.PodReady:
			kept = append(kept, corev1.PodCondition{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime})
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			kept = append(kept, corev1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: start(c.Message)})
		}
	}
	return kept
}

// statusesOf keeps the gateway's life, and of other containers what keeps them from running.
func statusesOf(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	others := 0
	for i := range statuses {
		s := &statuses[i]
		if s.Name == render.ContainerName {
			kept = append(kept, corev1.ContainerStatus{
				Name: s.Name, Ready: s.Ready, RestartCount: s.RestartCount, ContainerID: s.ContainerID,
				State: s.State, LastTerminationState: s.LastTerminationState,
			})
			continue
		}
		if others++; others <= maxOthers {
			kept = append(kept, corev1.ContainerStatus{
				Name: s.Name, Ready: s.Ready, State: stateOf(s.State), LastTerminationState: stateOf(s.LastTerminationState),
			})
		}
	}
	return kept
}

// stateOf keeps what a container waits for, and how it ended.
func stateOf(state corev1.ContainerState) corev1.ContainerState {
	kept := corev1.ContainerState{}
	if waiting := state.Waiting; waiting != nil {
		kept.Waiting = &corev1.ContainerStateWaiting{Reason: waiting.Reason, Message: start(waiting.Message)}
	}
	if ended := state.Terminated; ended != nil {
		kept.Terminated = &corev1.ContainerStateTerminated{Reason: ended.Reason, ExitCode: ended.ExitCode}
	}
	return kept
}

func start(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxWords)], "") }
