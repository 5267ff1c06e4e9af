package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

const (
	// cannotCreate introduces what keeps pods from being created, cannotStart what keeps one that exists from running.
	cannotCreate = "; no replica can be created: "
	cannotStart  = "; a replica cannot start: "
	// maxHindrance bounds what is repeated of a pod: its image's registry may have many words.
	maxHindrance = 512
	// quotaExceeded are the words of the API server's admission of quotas. No field says the same.
	quotaExceeded = "exceeded quota"
)

// hindrance is what keeps replicas from being there: a quota, an admission policy, no room on any node, an image that cannot be
// pulled. Its message is in the words of the Deployment or of a pod, as a part of a sentence; it is zero if there is none.
func (f facts) hindrance() problem {
	switch created := uncreated(f.deployment); {
	case strings.Contains(created, quotaExceeded):
		return problem{v1alpha1.ReasonQuotaExceeded, cannotCreate + created}
	case created != "":
		return problem{v1alpha1.ReasonCreationRefused, cannotCreate + created}
	case f.unstarted.message != "":
		return problem{f.unstarted.reason, cannotStart + f.unstarted.message}
	default:
		return problem{}
	}
}

// uncreated is why the Deployment has no pods, or no ReplicaSet that would create them; empty if nothing is in the way. That a
// roll-out takes too long is another thing, and does not say why.
func uncreated(deployment *appsv1.Deployment) string {
	if deployment == nil {
		return ""
	}
	if c := deploymentCondition(deployment, appsv1.DeploymentReplicaFailure); c.Status == corev1.ConditionTrue {
		return c.Message
	}
	c := deploymentCondition(deployment, appsv1.DeploymentProgressing)
	if c.Status == corev1.ConditionFalse && c.Reason != progressDeadlineExceeded {
		return c.Message
	}
	return ""
}

// unstarted says of the first pod that cannot run why it cannot; zero if all can. The words stay the same while the kubelet tries
// again and again, so that a status that repeats them is not written each time.
func (v *view) unstarted() problem {
	for _, pod := range v.livePods() {
		if why := cmp.Or(unscheduled(pod), unstartedContainer(pod)); why.message != "" {
			return problem{why.reason, fmt.Sprintf("pod %s: %s", pod.Name, cut(why.message, maxHindrance))}
		}
	}
	return problem{}
}

func unscheduled(pod *corev1.Pod) problem {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return problem{v1alpha1.ReasonUnschedulable, withReason(c.Reason, c.Message)}
		}
	}
	return problem{}
}

func unstartedContainer(pod *corev1.Pod) problem {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if why := hindranceOf(&status); why != "" {
			return problem{reasonOf(&status), fmt.Sprintf("container %s: %s", status.Name, why)}
		}
	}
	return problem{}
}

// reasonOf tells an image that is not there from a container that fails. An image of a container that ran before was there.
func reasonOf(status *corev1.ContainerStatus) string {
	waiting := status.State.Waiting
	if waiting != nil && status.LastTerminationState.Terminated == nil && slices.Contains(imageProblems, waiting.Reason) {
		return v1alpha1.ReasonImagePullFailed
	}
	return v1alpha1.ReasonContainerFailed
}

// hindranceOf tells a container that waits for something, or that ended and is not ready again, from one that merely starts.
func hindranceOf(status *corev1.ContainerStatus) string {
	waiting := status.State.Waiting
	switch {
	case status.Ready:
		return ""
	case status.State.Terminated != nil:
		return endOf(status.State.Terminated)
	case status.LastTerminationState.Terminated != nil:
		return endOf(status.LastTerminationState.Terminated)
	case waiting == nil || waiting.Reason == "" || waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing":
		return ""
	case waiting.Reason == errImagePull || waiting.Reason == imagePullBackOff:
		// One follows the other for as long as the image cannot be pulled.
		_, why, found := strings.Cut(waiting.Message, errImagePull+": ")
		if !found {
			why = waiting.Message
		}
		return withReason(imagePullBackOff, why)
	default:
		return withReason(waiting.Reason, waiting.Message)
	}
}

const (
	errImagePull     = "ErrImagePull"
	imagePullBackOff = "ImagePullBackOff"
)

// imageProblems are the kubelet's reasons for a container that waits for its image.
var imageProblems = []string{
	errImagePull, imagePullBackOff, "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
	"SignatureValidationFailed",
}

// endOf says how a container ended; its last words are not repeated.
func endOf(end *corev1.ContainerStateTerminated) string {
	if end.ExitCode == 0 {
		return "" // as an init container does that has done its work
	}
	return fmt.Sprintf("it ended with %s, exit code %d", cmp.Or(end.Reason, "Error"), end.ExitCode)
}

func withReason(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}
