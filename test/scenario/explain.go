package scenario

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
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
	fmt.Fprintf(w, "--- namespace %s\n", namespace)
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
		fmt.Fprintf(w, "pod %s/%s %s, deleted %v\n", namespace, pod.Name, pod.Status.Phase, pod.DeletionTimestamp)
		for j := range pod.Status.ContainerStatuses {
			container := &pod.Status.ContainerStatuses[j]
			fmt.Fprintf(w, "  %s: %s, %d restarts\n", container.Name, stateOf(container), container.RestartCount)
			fmt.Fprintln(w, c.lastLog(ctx, pod, container.Name))
		}
	}
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
