package cached

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/rollout"
)

// NudgeAnnotation of a pod makes its kubelet look at the pod's volumes at once instead of at its next sync, which may
// be a minute away. Its value is the revision and how often the pod has been nudged to it.
const NudgeAnnotation = v1alpha1.Group + "/config-nudge"

// The labels and annotations that the operator reads. All others are somebody else's, and may have 256 KiB in all.
var (
	readLabels = []string{
		render.LabelName, render.LabelInstance, render.LabelComponent, render.LabelManagedBy,
		appsv1.DefaultDeploymentUniqueLabelKey,
	}
	readAnnotations = []string{
		render.AppliedHashAnnotation, render.AcceptedAnnotation, NudgeAnnotation, corev1.PodDeletionCost,
		rollout.Annotation, made,
	}
)

// maxLabels bounds the labels of a service that are kept as they are: a client of the metrics API may select by them.
const maxLabels = 32

func keepMetadata(object client.Object) {
	object.SetManagedFields(nil)
	object.SetFinalizers(nil)
	object.SetSelfLink("")
	object.SetAnnotations(only(object.GetAnnotations(), readAnnotations))
	if _, service := object.(*v1alpha1.LLMService); !service || len(object.GetLabels()) > maxLabels {
		object.SetLabels(only(object.GetLabels(), readLabels))
	}
	owner := metav1.GetControllerOf(object)
	object.SetOwnerReferences(nil)
	if owner != nil {
		object.SetOwnerReferences([]metav1.OwnerReference{*owner})
	}
}

// only returns the entries with these keys; nil for none.
func only(all map[string]string, keys []string) map[string]string {
	var kept map[string]string
	for _, key := range keys {
		if value, ok := all[key]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// gatewayOf keeps what others may have given the gateway of resources, and what it needs to keep the contract of streams.
func gatewayOf(containers []corev1.Container) []corev1.Container {
	for i := range containers {
		if c := &containers[i]; c.Name == render.ContainerName {
			return []corev1.Container{{
				Name: c.Name, Resources: c.Resources, Args: c.Args, Ports: c.Ports, Lifecycle: preStopOf(c.Lifecycle),
				StartupProbe: c.StartupProbe, ReadinessProbe: c.ReadinessProbe, LivenessProbe: c.LivenessProbe,
			}}
		}
	}
	return nil
}

// preStopOf keeps that there is a hook before the end, and how long it sleeps.
func preStopOf(lifecycle *corev1.Lifecycle) *corev1.Lifecycle {
	if lifecycle == nil || lifecycle.PreStop == nil {
		return nil
	}
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: lifecycle.PreStop.Sleep}}
}
