package cached

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

var large = strings.Repeat("x", maxObject+1)

// owned is the metadata of a child of the service "assistant", with what somebody else added to it.
func owned(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "team-a", Name: name, UID: "child", ResourceVersion: "7",
		Labels: map[string]string{render.LabelManagedBy: render.ManagedBy, "theirs": "x"},
		Annotations: map[string]string{
			render.AppliedHashAnnotation: "hash", "kubectl.kubernetes.io/last-applied-configuration": large,
		},
		Finalizers:    []string{"theirs.test/finalizer"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Pod", Name: "other", UID: "other"},
			{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind, Name: "assistant", UID: "service", Controller: new(true)},
		},
	}
}

func keptMetadata(name string) metav1.ObjectMeta {
	all := owned(name)
	return metav1.ObjectMeta{
		Namespace: all.Namespace, Name: all.Name, UID: all.UID, ResourceVersion: all.ResourceVersion,
		Labels:          map[string]string{render.LabelManagedBy: render.ManagedBy},
		Annotations:     map[string]string{render.AppliedHashAnnotation: "hash"},
		OwnerReferences: all.OwnerReferences[1:],
	}
}

func withLabel(m metav1.ObjectMeta, key, value string) metav1.ObjectMeta {
	m.Labels[key] = value
	return m
}

func TestKeepsWhatIsReadOfAChild(t *testing.T) {
	data := map[string]string{"current": "{}"}
	tests := []struct {
		name      string
		give      client.Object
		wantWhole client.Object
	}{
		{
			"ConfigMap", &corev1.ConfigMap{ObjectMeta: owned("assistant-config-v1"), Data: data},
			&corev1.ConfigMap{ObjectMeta: keptMetadata("assistant-config-v1"), Data: data},
		},
		{
			"Deployment", &appsv1.Deployment{ObjectMeta: owned("assistant"), Status: appsv1.DeploymentStatus{Replicas: 2}},
			&appsv1.Deployment{ObjectMeta: keptMetadata("assistant"), Status: appsv1.DeploymentStatus{Replicas: 2}},
		},
		{
			// The spec may set labels and annotations of a Service, though none as long as kubectl's.
			"Service", &corev1.Service{ObjectMeta: owned("assistant"), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}},
			&corev1.Service{ObjectMeta: withLabel(keptMetadata("assistant"), "theirs", "x"), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}},
		},
		{
			"ServiceAccount", &corev1.ServiceAccount{ObjectMeta: owned("assistant"), Secrets: []corev1.ObjectReference{{Name: large}}},
			&corev1.ServiceAccount{ObjectMeta: keptMetadata("assistant")},
		},
		{
			"PodDisruptionBudget", &policyv1.PodDisruptionBudget{ObjectMeta: owned("assistant"), Status: policyv1.PodDisruptionBudgetStatus{CurrentHealthy: 2}},
			&policyv1.PodDisruptionBudget{ObjectMeta: keptMetadata("assistant")},
		},
		{
			"HorizontalPodAutoscaler",
			&autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: owned("assistant"),
				Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentMetrics: []autoscalingv2.MetricStatus{
					{Type: "Object", Object: &autoscalingv2.ObjectMetricStatus{Metric: autoscalingv2.MetricIdentifier{Name: "m"}}}, {},
				}, DesiredReplicas: 3},
			},
			&autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: keptMetadata("assistant"), Status: autoscalingv2.HorizontalPodAutoscalerStatus{
					CurrentMetrics: []autoscalingv2.MetricStatus{{Type: "Object"}, {}}, DesiredReplicas: 3,
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := keep(t, tt.give)
			if diff := cmp.Diff(tt.wantWhole, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if Abridged(got) {
				t.Error("abridged")
			}
		})
	}
}

// A kind that no Go type is known of is kept like the others.
func TestKeepsAKindWithoutAType(t *testing.T) {
	whole := func() *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Ticket",
			"metadata": map[string]any{
				"name": "assistant-ticket", "namespace": "team-a", "uid": "u", "resourceVersion": "7",
				"annotations":     map[string]any{"theirs": large},
				"ownerReferences": []any{map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": v1alpha1.Kind, "name": "assistant", "uid": "s", "controller": true}},
			},
			"spec": map[string]any{"seat": "12"}, "status": map[string]any{"big": large},
		}}
	}
	got := keep(t, whole()).(*unstructured.Unstructured)
	seat, _, _ := unstructured.NestedString(got.Object, "spec", "seat")
	if Abridged(got) || seat != "12" || got.Object["status"] != nil || len(got.GetAnnotations()) > 0 {
		t.Errorf("kept %.300v", got.Object)
	}
	foreign := whole()
	foreign.SetOwnerReferences(nil)
	short := keep(t, foreign).(*unstructured.Unstructured)
	if !Abridged(short) || short.Object["spec"] != nil || short.GetUID() != "u" || short.GetKind() != "Ticket" {
		t.Errorf("kept of a foreign one: %.300v", short.Object)
	}
}

// What Gateways report of a route is read; the status of any other object without a Go type is not.
func TestTheStatusOfARouteIsKept(t *testing.T) {
	for kind, want := range map[schema.GroupVersionKind]bool{render.RouteKind: true, {Group: "tickets.test", Version: "v1", Kind: "Ticket"}: false} {
		object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"parents": []any{}}}}
		object.SetGroupVersionKind(kind)
		object.SetName("assistant")
		object.SetOwnerReferences(owned("assistant").OwnerReferences)
		if got := keep(t, object).(*unstructured.Unstructured).Object["status"] != nil; got != want {
			t.Errorf("the status of a %s is kept: %t", kind.Kind, got)
		}
	}
}

// An Ingress has annotations that the spec sets; long ones are somebody else's.
func TestTheAnnotationsOfAnIngressAreKept(t *testing.T) {
	ingress := &networkingv1.Ingress{ObjectMeta: owned("assistant")}
	ingress.Annotations["ingress.test/buffering"] = "false"
	got := keep(t, ingress).(*networkingv1.Ingress).Annotations
	if diff := cmp.Diff(map[string]string{render.AppliedHashAnnotation: "hash", "ingress.test/buffering": "false"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without them, a monitor would be applied again and again.
func TestTheLabelsOfAMonitorAreKept(t *testing.T) {
	monitor := &unstructured.Unstructured{}
	monitor.SetGroupVersionKind(schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PodMonitor"})
	meta := owned("assistant")
	monitor.SetName(meta.Name)
	monitor.SetOwnerReferences(meta.OwnerReferences)
	want := map[string]string{render.LabelInstance: "assistant", "release": "prometheus"}
	monitor.SetLabels(want)
	if diff := cmp.Diff(want, keep(t, monitor).GetLabels()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who made an object is known of it in a cache too, whole or abridged.
func TestWhatTheOperatorMadeIsMarked(t *testing.T) {
	applied := []metav1.ManagedFieldsEntry{{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply}}
	updated := []metav1.ManagedFieldsEntry{{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationUpdate}}
	for name, tt := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		size   int
		want   bool
	}{
		"applied":           {fields: applied, want: true},
		"applied and large": {fields: applied, size: len(large), want: true},
		"updated":           {fields: updated},
		"nobody's":          {},
	} {
		t.Run(name, func(t *testing.T) {
			child := &corev1.ConfigMap{ObjectMeta: owned("assistant-config-v1"), Data: map[string]string{"current": large[:tt.size]}}
			child.ManagedFields = tt.fields
			if before, after := Made(child), Made(keep(t, child)); before != tt.want || after != tt.want {
				t.Errorf("made: %t, and %t in a cache; want %t", before, after, tt.want)
			}
		})
	}
}

// Each is labelled as ours, and none may cost more than its identity.
func TestForeignAndLargeObjectsAreAbridged(t *testing.T) {
	foreign, otherKind, otherName := owned("assistant"), owned("assistant"), owned("theirs")
	foreign.OwnerReferences = nil
	otherKind.OwnerReferences[1].APIVersion = "apps/v1"
	data := map[string]string{"theirs": "x"}
	tests := map[string]client.Object{
		"no controller":            &corev1.ConfigMap{ObjectMeta: foreign, Data: data},
		"another controller":       &corev1.ConfigMap{ObjectMeta: otherKind, Data: data},
		"a name that no child has": &corev1.ConfigMap{ObjectMeta: otherName, Data: data},
		"a large ConfigMap":        &corev1.ConfigMap{ObjectMeta: owned("assistant-config-v1"), Data: map[string]string{"current": large}},
		"a large hash": func() client.Object {
			meta := owned("assistant")
			meta.Annotations[render.AppliedHashAnnotation] = large
			return &appsv1.Deployment{ObjectMeta: meta}
		}(),
		"a large Service": &corev1.Service{ObjectMeta: owned("assistant"), Spec: corev1.ServiceSpec{ExternalName: large}},
		"a large Deployment": &appsv1.Deployment{
			ObjectMeta: owned("assistant"),
			Spec:       appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{NodeName: large}}},
		},
		"a large budget": &policyv1.PodDisruptionBudget{
			ObjectMeta: owned("assistant"),
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": large}}},
		},
		"a large autoscaler": &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: owned("assistant"),
			Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Name: large}},
		},
		"a foreign ServiceAccount": &corev1.ServiceAccount{ObjectMeta: foreign},
		"a large pod": &corev1.Pod{ObjectMeta: owned("pod"), Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: render.ContainerName, ContainerID: large,
		}}}},
		"a large service": &v1alpha1.LLMService{ObjectMeta: owned("assistant"), Spec: v1alpha1.LLMServiceSpec{
			Models: []v1alpha1.Model{{Name: large}},
		}},
	}
	for name, give := range tests {
		t.Run(name, func(t *testing.T) {
			want := give.DeepCopyObject().(client.Object)
			got := keep(t, give)
			if !Abridged(got) {
				t.Fatal("not abridged")
			}
			if got.GetName() != want.GetName() || got.GetUID() != want.GetUID() || got.GetResourceVersion() != want.GetResourceVersion() {
				t.Errorf("kept %s, want its identity", client.ObjectKeyFromObject(got))
			}
			sized, ok := got.(interface{ Size() int })
			if !ok {
				if service := got.(*v1alpha1.LLMService); len(service.Spec.Models) > 0 {
					t.Error("the spec is kept")
				}
				return
			}
			if size := sized.Size(); size > 1024 {
				t.Errorf("keeps %d bytes", size)
			}
		})
	}
}

func TestKeepsWhatIsReadOfAPod(t *testing.T) {
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	unscheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "no room"}
	long := unscheduled
	long.Message = strings.Repeat("no room, ", 1<<16)
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1, Message: large, ContainerID: large}}
	kept := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1}}
	sidecars := slices.Repeat([]corev1.ContainerStatus{{Name: "sidecar", Image: large, State: waits, LastTerminationState: ended}}, 100)
	gateway := corev1.ContainerStatus{Name: render.ContainerName, ContainerID: "c1", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: "{}"}}}
	requests := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}
	args, ports := []string{"--workers=2"}, []corev1.ContainerPort{{Name: "admin", ContainerPort: 9090}}
	probe := &corev1.Probe{PeriodSeconds: 1}
	pod := &corev1.Pod{
		ObjectMeta: owned("assistant-abc"),
		Spec: corev1.PodSpec{
			NodeName: "n1", TerminationGracePeriodSeconds: new(int64(30)),
			Containers: []corev1.Container{{Name: "sidecar", Image: large}, {
				Name: render.ContainerName, Image: large, Resources: requests, Args: args, Ports: ports,
				StartupProbe: probe, ReadinessProbe: probe, LivenessProbe: probe,
				Lifecycle: &corev1.Lifecycle{
					PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{large}}},
					PreStop:   &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{large}}, Sleep: &corev1.SleepAction{Seconds: 5}},
				},
			}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.2", Message: large,
			Conditions:            []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, Message: large}, ready, long},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", Image: large, State: ended, Ready: true}},
			ContainerStatuses:     append(sidecars, gateway),
		},
	}
	pod.Annotations["controller.kubernetes.io/pod-deletion-cost"] = "-1"
	want := &corev1.Pod{
		ObjectMeta: keptMetadata("assistant-abc"),
		Spec: corev1.PodSpec{
			NodeName: "n1", TerminationGracePeriodSeconds: new(int64(30)),
			Containers: []corev1.Container{{
				Name: render.ContainerName, Resources: requests, Args: args, Ports: ports,
				StartupProbe: probe, ReadinessProbe: probe, LivenessProbe: probe,
				Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}},
			}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.2",
			Conditions:            []corev1.PodCondition{ready, unscheduled},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: kept, Ready: true}},
			ContainerStatuses: append(slices.Repeat([]corev1.ContainerStatus{
				{Name: "sidecar", State: waits, LastTerminationState: kept},
			}, maxOthers), gateway),
		},
	}
	want.Annotations["controller.kubernetes.io/pod-deletion-cost"] = "-1"
	want.Status.Conditions[1].Message = long.Message[:maxWords]
	if diff := cmp.Diff(client.Object(want), keep(t, pod)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// A metrics client may select services by any label.
func TestKeepsTheLabelsOfAService(t *testing.T) {
	service := &v1alpha1.LLMService{ObjectMeta: owned("assistant"), Spec: v1alpha1.LLMServiceSpec{Replicas: new(int32(2))}}
	got := keep(t, service).(*v1alpha1.LLMService)
	if got.Labels["theirs"] != "x" || *got.Spec.Replicas != 2 || len(got.ManagedFields) > 0 {
		t.Errorf("kept %+v", got)
	}
}

// keep keeps twice: an informer may give back what it was given.
func keep(t *testing.T, object client.Object) client.Object {
	t.Helper()
	once, err := Keep(object)
	if err != nil {
		t.Fatal(err)
	}
	first := once.(client.Object).DeepCopyObject()
	twice, err := Keep(once)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, twice); diff != "" {
		t.Errorf("kept twice (-once +twice):\n%s", diff)
	}
	return twice.(client.Object)
}
