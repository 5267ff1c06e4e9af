package scenario

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
)

const (
	explainWithin = 30 * time.Second
	logLines      = 15
	maxEvents     = 30
)

// Explain writes what helps to understand a failure in a namespace: its services' conditions, its pods, its events,
// and the last lines of the gateways' and the operator's logs, none of which hold prompts or secrets. ctx may be over.
func (c *Cluster) Explain(ctx context.Context, w io.Writer, namespace string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainWithin)
	defer cancel()
	now := time.Now().UTC().Format(time.RFC3339)
	fmt.Fprintf(w, "--- namespace %s at %s; waiting for a processor: %s\n", namespace, now, pressure())
	c.explainServices(ctx, w, namespace)
	c.explainPods(ctx, w, namespace)
	c.explainEvents(ctx, w, namespace)
	c.explainPods(ctx, w, OperatorNamespace)
}

func (c *Cluster) explainServices(ctx context.Context, w io.Writer, namespace string) {
	var list v1alpha1.LLMServiceList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(w, "LLMServices:", err)
		return
	}
	for i := range list.Items {
		s := &list.Items[i]
		fmt.Fprintf(w, "LLMService %s, generation %d, observed %d, %d replicas, config %+v\n",
			s.Name, s.Generation, s.Status.ObservedGeneration, s.Status.Replicas, s.Status.Config)
		for _, k := range s.Status.Conditions {
			fmt.Fprintf(w, "  %s=%s %s: %s\n", k.Type, k.Status, k.Reason, k.Message)
		}
	}
}

func (c *Cluster) explainPods(ctx context.Context, w io.Writer, namespace string) {
	var list corev1.PodList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(w, "pods:", err)
		return
	}
	for i := range list.Items {
		pod := &list.Items[i]
		fmt.Fprintf(w, "pod %s/%s %s, deleted %v%s\n", namespace, pod.Name, pod.Status.Phase, pod.DeletionTimestamp, nudged(pod))
		for j := range pod.Status.ContainerStatuses {
			container := &pod.Status.ContainerStatuses[j]
			fmt.Fprintf(w, "  %s: %s, %d restarts\n", container.Name, stateOf(container), container.RestartCount)
			fmt.Fprintln(w, c.lastLog(ctx, pod, container.Name))
		}
	}
}

// nudged says how often the operator reminded the pod's kubelet of a config, and when it did so last: the number of the last
// reminder, which begins at 0, follows the revision.
func nudged(pod *corev1.Pod) string {
	last := pod.Annotations[cached.NudgeAnnotation]
	if last == "" {
		return ""
	}
	for _, of := range pod.ManagedFields {
		if of.Manager == cached.FieldOwner && of.Time != nil {
			return fmt.Sprintf(", nudged %s at %s", last, of.Time.UTC().Format(time.RFC3339))
		}
	}
	return ", nudged " + last
}

// pressure is how much of the time something waited for a processor, by the kernel's own account.
func pressure() string {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return err.Error()
	}
	some, _, _ := strings.Cut(string(text), "\n")
	return some
}

func stateOf(s *corev1.ContainerStatus) string {
	switch {
	case s.State.Waiting != nil:
		return "waits: " + s.State.Waiting.Reason + " " + s.State.Waiting.Message
	case s.State.Terminated != nil:
		return fmt.Sprintf("ended with %d, %s", s.State.Terminated.ExitCode, s.State.Terminated.Reason)
	default:
		return fmt.Sprintf("ready %t", s.Ready)
	}
}

func (c *Cluster) lastLog(ctx context.Context, pod *corev1.Pod, container string) string {
	options := &corev1.PodLogOptions{Container: container, TailLines: new(int64(logLines))}
	text, err := c.core.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	if err != nil {
		return "    log: " + err.Error()
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
}

func (c *Cluster) explainEvents(ctx context.Context, w io.Writer, namespace string) {
	var list corev1.EventList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(w, "events:", err)
		return
	}
	for _, e := range list.Items[max(0, len(list.Items)-maxEvents):] {
		fmt.Fprintf(w, "event %s %s/%s %s: %s\n", e.Type, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
	}
}
