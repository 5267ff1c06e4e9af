package cached

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

const (
	// maxObject bounds what is kept of one object, in encoded bytes. Few services and children are larger; those are read from
	// the API server when they are needed.
	maxObject = 32 << 10
	// maxPod bounds what is kept of one pod, most of which is its gateway's last words.
	maxPod = 12 << 10
)

// abridged marks an object of which only the identity is kept. No API server takes a key with parentheses, so an object
// that carries it got it here.
const abridged = "(abridged)"

// Abridged says that a cache holds no more of the object than whose it is: what it is like, the API server knows.
func Abridged(object client.Object) bool {
	_, ok := object.GetAnnotations()[abridged]
	return ok
}

// Keep drops what the operator does not read of an object, before a cache takes it. It may be given what it returned.
func Keep(object any) (any, error) {
	kept, ok := object.(client.Object)
	if !ok || Abridged(kept) {
		return object, nil
	}
	switch kept := kept.(type) {
	case *v1alpha1.LLMService:
		return keepService(kept)
	case *corev1.Pod:
		return keepPod(kept), nil
	default:
		return keepChild(kept), nil
	}
}

// keepService keeps all that a service's children are made of, unless that is large.
func keepService(service *v1alpha1.LLMService) (any, error) {
	keepMetadata(service)
	encoded, err := json.Marshal(service)
	if err != nil {
		return nil, fmt.Errorf("measure %s %s: %w", v1alpha1.Kind, client.ObjectKeyFromObject(service), err)
	}
	if len(encoded) <= maxObject {
		return service, nil
	}
	return &v1alpha1.LLMService{TypeMeta: service.TypeMeta, ObjectMeta: identity(service)}, nil
}

// keepPod keeps what tells of the life of a pod's gateway.
func keepPod(pod *corev1.Pod) any {
	keepMetadata(pod)
	pod.Spec = corev1.PodSpec{
		NodeName:                      pod.Spec.NodeName,
		TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
		Containers:                    gatewayOf(pod.Spec.Containers),
	}
	pod.Status = corev1.PodStatus{
		Phase: pod.Status.Phase, PodIP: pod.Status.PodIP,
		Conditions: readyOf(pod.Status.Conditions), ContainerStatuses: gatewaysOf(pod.Status.ContainerStatuses),
	}
	if pod.Size() <= maxPod {
		return pod
	}
	return &corev1.Pod{TypeMeta: pod.TypeMeta, ObjectMeta: identity(pod)}
}

// keepChild keeps an object of one of the kinds that services have, if it is one that a service has.
func keepChild(object client.Object) any {
	ours := controlled(object)
	keepMetadata(object)
	switch child := object.(type) {
	case *corev1.ConfigMap:
		return bound(child, ours, &corev1.ConfigMap{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	case *corev1.ServiceAccount:
		child.Secrets, child.ImagePullSecrets = nil, nil
		return bound(child, ours, &corev1.ServiceAccount{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	case *corev1.Service:
		child.Status = corev1.ServiceStatus{}
		return bound(child, ours, &corev1.Service{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	case *policyv1.PodDisruptionBudget:
		child.Status = policyv1.PodDisruptionBudgetStatus{}
		return bound(child, ours, &policyv1.PodDisruptionBudget{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	case *appsv1.Deployment:
		return bound(child, ours, &appsv1.Deployment{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	case *autoscalingv2.HorizontalPodAutoscaler:
		keepMetricTypes(child.Status.CurrentMetrics)
		return bound(child, ours, &autoscalingv2.HorizontalPodAutoscaler{TypeMeta: child.TypeMeta, ObjectMeta: identity(child)})
	default:
		return object
	}
}

// keepMetricTypes keeps which metrics were read: those that were not have no type.
func keepMetricTypes(metrics []autoscalingv2.MetricStatus) {
	for i := range metrics {
		metrics[i] = autoscalingv2.MetricStatus{Type: metrics[i].Type}
	}
}

// bound returns the whole object if it is ours and not large, and its identity otherwise.
func bound[T interface{ Size() int }](whole T, ours bool, identity T) any {
	if ours && whole.Size() <= maxObject {
		return whole
	}
	return identity
}

// controlled says that an object has the name and the controller of some service's child. Both can be forged, but then the
// object costs no more than a service does.
func controlled(object client.Object) bool {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != v1alpha1.Kind {
		return false
	}
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || group.Group != v1alpha1.Group {
		return false
	}
	_, isConfig := object.(*corev1.ConfigMap)
	return object.GetName() == owner.Name || isConfig && object.GetName() == delivery.ConfigMapName(owner.Name)
}

// identity is what is kept of an object that is not ours or too large: whose it is, so that a conflict can be told of.
func identity(object client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: object.GetName(), Namespace: object.GetNamespace(), UID: object.GetUID(),
		ResourceVersion: object.GetResourceVersion(), Generation: object.GetGeneration(),
		CreationTimestamp: object.GetCreationTimestamp(), DeletionTimestamp: object.GetDeletionTimestamp(),
		Labels: object.GetLabels(), OwnerReferences: object.GetOwnerReferences(),
		Annotations: map[string]string{abridged: ""},
	}
}
