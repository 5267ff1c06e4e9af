package cached

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
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
		return keepChild(kept)
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
	return identity(service), nil
}

// keepPod keeps the parts that describe the life of a pod's gateway.
func keepPod(pod *corev1.Pod) any {
	keepMetadata(pod)
	pod.Spec = corev1.PodSpec{
		NodeName:                      pod.Spec.NodeName,
		TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
		Containers:                    gatewayOf(pod.Spec.Containers),
	}
	pod.Status = corev1.PodStatus{
		Phase: pod.Status.Phase, PodIP: pod.Status.PodIP,
		Conditions:            readConditions(pod.Status.Conditions),
		InitContainerStatuses: statusesOf(pod.Status.InitContainerStatuses),
		ContainerStatuses:     statusesOf(pod.Status.ContainerStatuses),
	}
	if pod.Size() <= maxPod {
		return pod
	}
	return identity(pod)
}

// keepChild keeps an object of one of the kinds that services have, if it is one that a service has and is not large.
func keepChild(object client.Object) (any, error) {
	ours, byUs := controlled(object), Made(object)
	keepChildMetadata(object)
	markMade(object, byUs)
	keepState(object)
	size, err := encodedSize(object)
	if err != nil {
		return nil, err
	}
	if ours && size <= maxObject {
		return object, nil
	}
	keepMetadata(object)
	return identity(object), nil
}

// maxAnnotation is the length of the longest annotation that a spec can set.
const maxAnnotation = 4096

// keepChildMetadata keeps what the spec may set: the labels and annotations of Services, the annotations of Ingresses, and the
// labels of the kinds that come with a CRD.
func keepChildMetadata(object client.Object) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	keepMetadata(object)
	maps.DeleteFunc(annotations, func(_, value string) bool { return len(value) > maxAnnotation })
	switch object.(type) {
	case *corev1.Service:
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
	case *networkingv1.Ingress:
		object.SetAnnotations(annotations)
	case *unstructured.Unstructured:
		object.SetLabels(labels)
	}
}

// keepState drops the status, which is read of Deployments, autoscalers and routes only, and what controllers of Kubernetes add to
// accounts.
func keepState(object client.Object) {
	switch child := object.(type) {
	case *appsv1.Deployment:
	case *autoscalingv2.HorizontalPodAutoscaler:
		keepMetricTypes(child.Status.CurrentMetrics)
	case *corev1.ServiceAccount:
		child.Secrets, child.ImagePullSecrets = nil, nil
	case *unstructured.Unstructured:
		if child.GroupVersionKind() != render.RouteKind {
			delete(child.Object, "status")
		}
	default:
		if status := reflect.ValueOf(object).Elem().FieldByName("Status"); status.IsValid() {
			status.SetZero()
		}
	}
}

func encodedSize(object client.Object) (int, error) {
	if sized, ok := object.(interface{ Size() int }); ok {
		return sized.Size(), nil
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return len(encoded), nil
}

// keepMetricTypes keeps which metrics were read: those that were not have no type.
func keepMetricTypes(metrics []autoscalingv2.MetricStatus) {
	for i := range metrics {
		metrics[i] = autoscalingv2.MetricStatus{Type: metrics[i].Type}
	}
}

// controlled says that an object has the name and the controller of some service's child. Both can be forged, but then the
// object costs no more than a service does.
func controlled(object client.Object) bool {
	owner := metav1.GetControllerOf(object)
	return IsService(owner) && render.IsChildName(object.GetName(), owner.Name)
}

// IsService says that an owner is an LLMService of some version; it may be nil.
func IsService(owner *metav1.OwnerReference) bool {
	if owner == nil || owner.Kind != v1alpha1.Kind {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && version.Group == v1alpha1.Group
}

// identity returns an object of the same type with only its name and owner, so that a conflict can be reported.
func identity(object client.Object) any {
	short, ok := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(object).Elem()))
	if !ok {
		return object // every object is a pointer to its type
	}
	short.GetObjectKind().SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
	short.SetName(object.GetName())
	short.SetNamespace(object.GetNamespace())
	short.SetUID(object.GetUID())
	short.SetResourceVersion(object.GetResourceVersion())
	short.SetGeneration(object.GetGeneration())
	short.SetCreationTimestamp(object.GetCreationTimestamp())
	short.SetDeletionTimestamp(object.GetDeletionTimestamp())
	short.SetLabels(object.GetLabels())
	short.SetOwnerReferences(object.GetOwnerReferences())
	short.SetAnnotations(map[string]string{abridged: ""})
	markMade(short, Made(object))
	return short
}
