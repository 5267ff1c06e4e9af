package controllers

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/controllers/render"
)

// changedPods says in which fields a pod is not as the template of its Deployment has it, as admission of pods can do; nil if
// none is different. Only the youngest replicas count: older ones may be of another template. Of those that were changed, the
// first by name stands for all.
//
// Compared is what the contract of streams needs of a pod and no other condition shows: the time to drain and what takes it up,
// the arguments, which have the longest stream, the probes, by which a pod is taken out of service or restarted, and the ports.
// Without its config or its Secrets a pod does not become ready, or says so itself; its limits of memory and CPU the gateway
// reads from its control group; and one that does not restart is replaced.
func (v *view) changedPods(deployment *appsv1.Deployment) []string {
	if deployment == nil {
		return nil
	}
	template := v.youngestTemplate()
	wanted := contractOf(&deployment.Spec.Template.Spec)
	for _, pod := range v.livePods() {
		// Of a pod that is too large for the cache nothing is known.
		if len(pod.Spec.Containers) == 0 || pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != template {
			continue
		}
		if found := overriddenInPod(&pod.Spec, wanted); len(found) > 0 {
			for i := range found {
				found[i] = fmt.Sprintf("Pods of Deployment %s: %s", deployment.Name, found[i])
			}
			return found
		}
	}
	return nil
}

// contractOf is the part of a pod that is compared.
func contractOf(spec *corev1.PodSpec) *corev1.PodSpec {
	part := &corev1.PodSpec{TerminationGracePeriodSeconds: spec.TerminationGracePeriodSeconds}
	for i := range spec.Containers {
		if c := &spec.Containers[i]; c.Name == render.ContainerName {
			part.Containers = []corev1.Container{{
				Name: c.Name, Args: c.Args, Ports: c.Ports,
				StartupProbe: c.StartupProbe, ReadinessProbe: c.ReadinessProbe, LivenessProbe: c.LivenessProbe,
			}}
		}
	}
	return part
}

func overriddenInPod(spec, wanted *corev1.PodSpec) []string {
	o := overrides{}
	given := contractOf(spec)
	if !equality.Semantic.DeepEqual(given, wanted) {
		o.compare(given, wanted)
	}
	o.preStop(spec, wanted)
	return o.found[:min(len(o.found), maxOverridden)]
}

// compare is for two parts of pods: most are equal, and those that are not are compared field by field.
func (o *overrides) compare(given, wanted *corev1.PodSpec) {
	have, errHave := runtime.DefaultUnstructuredConverter.ToUnstructured(given)
	want, errWant := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if errHave != nil || errWant != nil {
		return // every pod can be encoded
	}
	o.members("spec", have, want)
}

// preStop finds a hook that the time to drain is not enough for: the gateway begins to drain once it has ended. Of how long a hook
// takes that does not sleep, nothing is known.
func (o *overrides) preStop(spec, wanted *corev1.PodSpec) {
	at := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == render.ContainerName })
	if at < 0 || spec.Containers[at].Lifecycle == nil || spec.Containers[at].Lifecycle.PreStop == nil {
		return
	}
	sleep := spec.Containers[at].Lifecycle.PreStop.Sleep
	given, needed := spec.TerminationGracePeriodSeconds, wanted.TerminationGracePeriodSeconds
	if sleep != nil && given != nil && needed != nil && *given-sleep.Seconds >= *needed {
		return
	}
	o.found = append(o.found, fmt.Sprintf(
		"spec.containers[%s].lifecycle.preStop takes some of the time to drain, wanted none", render.ContainerName))
}

// youngestTemplate is the hash of the template that the youngest live pod was made from.
func (v *view) youngestTemplate() string {
	live := v.livePods()
	if len(live) == 0 {
		return ""
	}
	youngest := slices.MaxFunc(live, func(a, b *corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return youngest.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
}
