package load

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A pod's container may restart: each container has a life, counters and an end of its own.

// gatewayStatus finds the status of the pod's gateway container.
func gatewayStatus(pod *corev1.Pod, container string) (corev1.ContainerStatus, bool) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container {
			return status, true
		}
	}
	return corev1.ContainerStatus{}, false
}

// runningID is the ID of the container that runs now; empty while none does.
func runningID(status corev1.ContainerStatus) string {
	if status.State.Running == nil {
		return ""
	}
	return status.ContainerID
}

// endOf returns how the container with this ID ended, and whether it did. The end itself is nil if the kubelet has
// already forgotten it, which happens when a container restarts twice between two updates.
func endOf(status corev1.ContainerStatus, id string) (*corev1.ContainerStateTerminated, bool) {
	for _, end := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if end != nil && end.ContainerID == id {
			return end, true
		}
	}
	running := runningID(status)
	return nil, running != "" && running != id
}

// finished says that a pod will never run again.
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// turnReady takes in since when a pod is ready; zero if it is not.
func (k *tracked) turnReady(since, now time.Time) {
	switch {
	case !since.IsZero():
		k.unready = time.Time{}
	case !k.ready.IsZero():
		k.unready = now
	}
	k.ready = since
}

// readyFrom is when a pod became ready by our own clock, given what was known before; zero while it is not ready. What
// the pod's object says is by the clock of its node, and counts only for a pod that was there before this process
// looked, and not for the future: a node whose clock is ahead would otherwise hide its pods.
func readyFrom(pod *corev1.Pod, known time.Time, listed bool, now time.Time) time.Time {
	for _, condition := range pod.Status.Conditions {
		if condition.Type != corev1.PodReady || condition.Status != corev1.ConditionTrue {
			continue
		}
		said := condition.LastTransitionTime.Time
		switch {
		case !known.IsZero():
			return known
		case listed && said.Before(now):
			return said
		default:
			return now
		}
	}
	return time.Time{}
}
