package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// everything has the service want a child of each kind.
func everything(service *v1alpha1.LLMService) {
	scaling(inFlight)(service)
	networkPolicy(&v1alpha1.NetworkPolicyExposure{
		Ingress: &v1alpha1.NetworkPolicyIngress{From: []v1alpha1.NetworkPolicyPeer{{PodSelector: &v1alpha1.PeerSelector{}}}},
		Egress:  &v1alpha1.NetworkPolicyEgress{},
	})(service)
	service.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{
		Host: "assistant.example.com", Annotations: map[string]v1alpha1.AnnotationValue{"ingress.test/buffering": "false"},
	}
	service.Spec.Exposure.HTTPRoute = &v1alpha1.HTTPRouteExposure{ParentRefs: []v1alpha1.RouteParent{{Name: "public", Namespace: "infra"}}}
	service.Spec.Monitoring = &v1alpha1.Monitoring{
		PodMonitor:     &v1alpha1.Monitor{Labels: map[string]v1alpha1.LabelValue{"release": "prometheus"}, Interval: "30s"},
		ServiceMonitor: &v1alpha1.Monitor{Interval: "1m"},
		PrometheusRule: &v1alpha1.MonitoringRule{Labels: map[string]v1alpha1.LabelValue{"release": "prometheus"}},
	}
}

func networkPolicy(wanted *v1alpha1.NetworkPolicyExposure) func(*v1alpha1.LLMService) {
	return func(service *v1alpha1.LLMService) { service.Spec.Exposure = &v1alpha1.Exposure{NetworkPolicy: wanted} }
}

// children lists the children that a service with everything has, empty but for their names, by their kinds.
func children(service *v1alpha1.LLMService) map[string]client.Object {
	full := service.DeepCopy()
	everything(full)
	return childrenOf(full)
}

// childrenOf lists the children of a service as it is, empty but for their names, by their kinds.
func childrenOf(service *v1alpha1.LLMService) map[string]client.Object {
	rendered, err := render.Kinds().Children(render.Input{Service: service, Gateway: render.GatewaySettings{Image: "gateway:test"}})
	if err != nil {
		panic(err)
	}
	objects := map[string]client.Object{}
	for _, child := range rendered {
		object := objectOf(child.GroupVersionKind)
		object.SetNamespace(child.Namespace)
		object.SetName(child.Name)
		objects[child.Kind] = object
	}
	return objects
}

// objectOf is an empty object of a kind: of its Go type if there is one.
func objectOf(kind schema.GroupVersionKind) client.Object {
	if !api.Scheme().Recognizes(kind) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kind)
		return object
	}
	typed, err := api.Scheme().New(kind)
	if err != nil {
		panic(err)
	}
	return typed.(client.Object)
}

func TestChildren(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything)
	for kind, child := range children(service) {
		eventually(t, kind, func() error { return api.Get(t.Context(), client.ObjectKeyFromObject(child), child) })
		want := []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind, Name: service.Name, UID: service.UID,
			Controller: new(true), BlockOwnerDeletion: new(true),
		}}
		if diff := cmp.Diff(want, child.GetOwnerReferences()); diff != "" {
			t.Errorf("owners of the %s (-want +got):\n%s", kind, diff)
		}
		if got := child.GetLabels()[render.LabelManagedBy]; got != render.ManagedBy {
			t.Errorf("the %s has the label %s=%q: it is in no cache of the operator", kind, render.LabelManagedBy, got)
		}
	}

	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Scaling, l.Spec.Exposure = nil, nil })
	wanted := childrenOf(service)
	for kind, child := range children(service) {
		eventually(t, "what becomes of the "+kind, func() error {
			if there := exists(t, client.ObjectKeyFromObject(child), child); there != (wanted[kind] != nil) {
				return fmt.Errorf("it is there: %t", there)
			}
			return nil
		})
	}
}

func TestBecomesReady(t *testing.T) {
	s := start(t)
	service := s.create("assistant", func(l *v1alpha1.LLMService) {
		l.Spec.Exposure = &v1alpha1.Exposure{Service: &v1alpha1.ServiceExposure{Port: 8000}}
	})
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Unavailable")
	s.awaitCondition(service, v1alpha1.ConditionReconciling, "True/Progressing")
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Pending")

	s.up(service)
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "True/Acknowledged")
	s.awaitCondition(service, v1alpha1.ConditionAvailable, "True/Available")
	s.awaitCondition(service, v1alpha1.ConditionScaling, "False/Manual")
	status := service.Status
	status.Conditions = nil
	want := v1alpha1.LLMServiceStatus{
		ObservedGeneration: 1, Replicas: 2,
		Selector: "app.kubernetes.io/instance=assistant,app.kubernetes.io/name=llmservice-gateway",
		Config:   &v1alpha1.ConfigStatus{Revision: s.fleet.delivered(service), Acknowledged: 2, Served: true},
		URL:      "http://assistant." + s.namespace + ".svc:8000",
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReconciling || condition.Type == v1alpha1.ConditionStalled {
			t.Errorf("%s is %s: a service that is ready has none", condition.Type, condition.Status)
		}
	}
	s.awaitEvent(service, "ConfigApplied")
}

func TestRestoresWhatWasChangedByHand(t *testing.T) {
	changes := []struct {
		name, kind string
		change     func(client.Object)
	}{
		{"value", "ServiceAccount", func(o client.Object) { o.(*corev1.ServiceAccount).AutomountServiceAccountToken = new(true) }},
		{"label of the caches", "ServiceAccount", func(o client.Object) { o.SetLabels(nil) }},
		{"document", "ConfigMap", func(o client.Object) { o.(*corev1.ConfigMap).Data[delivery.CurrentKey] = "{}" }},
		{"port", "Service", func(o client.Object) { o.(*corev1.Service).Spec.Ports[0].Port = 81 }},
		{"key of a selector", "Service", func(o client.Object) { o.(*corev1.Service).Spec.Selector["by"] = "hand" }},
		{"budget", "PodDisruptionBudget", func(o client.Object) {
			o.(*policyv1.PodDisruptionBudget).Spec.MaxUnavailable = new(intstr.FromInt32(2))
		}},
		{"admitted namespace", "NetworkPolicy", func(o client.Object) {
			o.(*networkingv1.NetworkPolicy).Spec.Ingress[0].From[0].NamespaceSelector = &metav1.LabelSelector{}
		}},
		{"rule", "NetworkPolicy", func(o client.Object) {
			spec := &o.(*networkingv1.NetworkPolicy).Spec
			spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
		}},
		{"direction", "NetworkPolicy", func(o client.Object) {
			o.(*networkingv1.NetworkPolicy).Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		}},
		{"host", "Ingress", func(o client.Object) { o.(*networkingv1.Ingress).Spec.Rules[0].Host = "other.example.com" }},
		{"annotation", "Ingress", func(o client.Object) { o.GetAnnotations()["ingress.test/buffering"] = "true" }},
		{"timeout", "HTTPRoute", func(o client.Object) {
			spec := o.(*unstructured.Unstructured).Object["spec"].(map[string]any)
			spec["rules"].([]any)[0].(map[string]any)["timeouts"] = map[string]any{"request": "15s"}
		}},
		{"label", "PodMonitor", func(o client.Object) {
			o.SetLabels(map[string]string{render.LabelName: render.GatewayName, render.LabelInstance: o.GetName(), render.LabelManagedBy: render.ManagedBy})
		}},
		{"interval", "ServiceMonitor", func(o client.Object) {
			spec := o.(*unstructured.Unstructured).Object["spec"].(map[string]any)
			spec["endpoints"].([]any)[0].(map[string]any)["interval"] = "1s"
		}},
		{"groups", "PrometheusRule", func(o client.Object) {
			o.(*unstructured.Unstructured).Object["spec"] = map[string]any{"groups": []any{}}
		}},
		{"image", "Deployment", func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "other" }},
		{"replicas", "Deployment", func(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = new(int32(7)) }},
		{"name of a container", "Deployment", func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Name = "other" }},
		{"second container", "Deployment", func(o client.Object) {
			pod := &o.(*appsv1.Deployment).Spec.Template.Spec
			pod.Containers = append(pod.Containers, corev1.Container{Name: "miner", Image: "miner"})
		}},
		{"argument", "Deployment", func(o client.Object) {
			container := &o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
			container.Args = append(container.Args, "--log-level=debug")
		}},
		{"maximum", "HorizontalPodAutoscaler", func(o client.Object) { o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas = 9 }},
		{"metric", "HorizontalPodAutoscaler", func(o client.Object) {
			spec := &o.(*autoscalingv2.HorizontalPodAutoscaler).Spec
			spec.Metrics = append(spec.Metrics, spec.Metrics[0])
		}},
	}
	s := start(t)
	service := s.create("assistant", everything)
	s.up(service)
	s.settle()
	for kind := range children(service) {
		change := changes[0]
		change.name, change.kind, change.change = "hash", kind, func(o client.Object) { o.SetAnnotations(nil) }
		changes = append(changes, change)
	}
	for _, tt := range changes {
		t.Run(tt.kind+" "+tt.name, func(t *testing.T) {
			child := children(service)[tt.kind]
			before := s.content(t, child)
			edit(t, child, func() { tt.change(child) })
			s.awaitContent(t, child, before)
			s.settle()
		})
	}
}

func TestRestoresWhatWasDeletedByHand(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything)
	s.up(service)
	s.settle()
	for kind, child := range children(service) {
		t.Run(kind, func(t *testing.T) {
			before := s.content(t, child)
			uid := child.GetUID()
			if err := api.Delete(t.Context(), child, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				t.Fatal(err)
			}
			s.awaitContent(t, child, before)
			if child.GetUID() == uid {
				t.Error("it was never deleted")
			}
			s.settle()
		})
	}
}

// content is what a child says, without what the API server and others keep in it.
func (s *system) content(t *testing.T, child client.Object) string {
	t.Helper()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(child), child); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(child)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(encoded, &object); err != nil {
		t.Fatal(err)
	}
	delete(object, "status")
	metadata, _ := object["metadata"].(map[string]any)
	object["metadata"] = map[string]any{
		"labels": metadata["labels"], "annotations": metadata["annotations"], "ownerReferences": metadata["ownerReferences"],
	}
	if spec, ok := object["spec"].(map[string]any); ok {
		// A new Service has another address.
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	text, err := json.MarshalIndent(object, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *system) awaitContent(t *testing.T, child client.Object, want string) {
	t.Helper()
	eventually(t, "restoration", func() error {
		if !exists(t, client.ObjectKeyFromObject(child), child) {
			return errors.New("it is gone")
		}
		if diff := cmp.Diff(want, s.content(t, child)); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

func TestAPausedDeploymentIsResumed(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	var deployment appsv1.Deployment
	deployment.Namespace, deployment.Name = service.Namespace, service.Name
	edit(t, &deployment, func() { deployment.Spec.Paused = true })
	eventually(t, "the Deployment goes on", func() error {
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		if deployment.Spec.Paused {
			return errors.New("it is paused")
		}
		return nil
	})
}
