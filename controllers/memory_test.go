package controllers

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// Where admission caps maxReplicas, the autoscaler differs from its rendering for good. On API servers that give it no generation,
// each of its status updates must not look like somebody's edit.
func TestAStatusIsNoEdit(t *testing.T) {
	service := serviceWith("http://model.test/v1")
	service.Spec.Scaling = &v1alpha1.Scaling{
		MinReplicas: 1, MaxReplicas: 20, Metrics: []v1alpha1.Metric{{Name: "streams", Type: v1alpha1.MetricInFlight, AverageValue: 10}},
	}
	document, problem := documentOf(service, render.GatewaySettings{Image: "gateway:test"})
	if problem != nil {
		t.Fatal(problem.message)
	}
	children, err := render.Kinds().Children(render.Input{Service: service, Current: document, Replicas: 1, Gateway: render.GatewaySettings{Image: "gateway:test"}})
	if err != nil {
		t.Fatal(err)
	}
	child := &children[len(children)-1]
	rendered, err := child.Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	capped := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rendered.Object, capped); err != nil {
		t.Fatal(err)
	}
	capped.UID, capped.ResourceVersion, capped.Spec.MaxReplicas = "h1", "1", 5
	written := asWritten(t, capped, child)
	tests := []struct {
		name   string
		change func(*autoscalingv2.HorizontalPodAutoscaler)
		edit   bool
	}{
		{name: "nothing", change: func(*autoscalingv2.HorizontalPodAutoscaler) {}},
		{name: "a status", change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.ResourceVersion, h.Status.DesiredReplicas = "2", 3
			h.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}}
		}},
		{name: "somebody's annotation", change: func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Annotations["theirs"] = "x" }},
		{name: "what a cache leaves out", change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.OwnerReferences = append(h.OwnerReferences, metav1.OwnerReference{Name: "theirs"})
		}},
		{name: "a rendered field", edit: true, change: func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas = 50 }},
		{name: "a rendered list", edit: true, change: func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.Metrics = nil }},
		{name: "a rendered label", edit: true, change: func(h *autoscalingv2.HorizontalPodAutoscaler) { delete(h.Labels, render.LabelManagedBy) }},
		{name: "another object", edit: true, change: func(h *autoscalingv2.HorizontalPodAutoscaler) { h.UID = "h2" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			live := capped.DeepCopy()
			tt.change(live)
			if got := asWritten(t, live, child) != written; got != tt.edit {
				t.Errorf("taken for an edit: %t", got)
			}
		})
	}
}

func asWritten(t *testing.T, live *autoscalingv2.HorizontalPodAutoscaler, child *render.Child) string {
	t.Helper()
	rendered, err := child.Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		t.Fatal(err)
	}
	as, err := (&wanted{Child: child, rendered: rendered}).writtenAs(live, have)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// TestOnlyHarmIsLookedAtAgain: what admission adds, and no gateway minds, is not asked about every 2 minutes.
func TestOnlyHarmIsLookedAtAgain(t *testing.T) {
	child, rendered := renderedChild(t, "HorizontalPodAutoscaler")
	r := &Reconciler{Client: fake.NewFakeClient()}
	for name, tt := range map[string]struct {
		change func(map[string]any)
		want   time.Time
	}{
		"nothing":            {func(map[string]any) {}, time.Time{}},
		"an annotation more": {func(live map[string]any) { at(live, "metadata", "annotations")["theirs"] = "x" }, time.Time{}},
		"a capped maximum":   {func(live map[string]any) { at(live, "spec")["maxReplicas"] = int64(5) }, moment.Add(2 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			live := rendered.DeepCopy()
			tt.change(live.Object)
			made, err := r.rewritingOf(&wanted{Child: child, seen: &view{now: moment}, rendered: rendered}, live)
			if err != nil {
				t.Fatal(err)
			}
			if !made.next.Equal(tt.want) || (len(made.overridden) == 0) != tt.want.IsZero() {
				t.Errorf("overridden %q, looked at again at %v, want %v", made.overridden, made.next, tt.want)
			}
		})
	}
}

// TestAnOverrideIsLookedAtAgain: a change of admission is not an event, and a rewriting that does no harm is not reported.
func TestAnOverrideIsLookedAtAgain(t *testing.T) {
	deployment, autoscaler := render.GatewaysKey("a"), render.AutoscalerKey("a")
	m := &memory{rewritings: map[render.ChildKey]rewriting{deployment: {as: "a"}}}
	if got := m.recheck(moment); got != 0 || m.rewritings[deployment].due(moment.Add(time.Hour)) {
		t.Errorf("a rewriting that does no harm is looked at after %v", got)
	}
	m.rewritings[autoscaler] = rewriting{as: "b", overridden: []string{"x"}, next: moment.Add(overrideRecheck)}
	m.rewritings[render.DocumentsKey("a")] = rewriting{as: "c", overridden: []string{"y"}, next: moment.Add(2 * overrideRecheck)}
	for after, tt := range map[time.Duration]struct {
		wait time.Duration
		due  bool
	}{
		0:                               {overrideRecheck, false},
		overrideRecheck - time.Second:   {time.Second, false},
		overrideRecheck:                 {time.Millisecond, true},
		overrideRecheck + 5*time.Second: {time.Millisecond, true},
	} {
		now := moment.Add(after)
		if got, due := m.recheck(now), m.rewritings[autoscaler].due(now); got != tt.wait || due != tt.due {
			t.Errorf("after %v: looked at after %v, due %t; want %v, %t", after, got, due, tt.wait, tt.due)
		}
	}
}

// A service that was created again under its name inherits nothing.
func TestADeletedServiceLeavesNoMemory(t *testing.T) {
	var m memories
	first, again := &view{service: serviceWith("http://a.svc/v1")}, &view{service: serviceWith("http://a.svc/v1")}
	again.service.UID = "u2"
	known := m.of(first)
	if m.of(first) != known {
		t.Error("what was known of a service is lost")
	}
	fresh := m.of(again)
	if fresh == known || fresh.uid != "u2" {
		t.Error("a new service of the name has the memory of the deleted one")
	}
	m.forget(client.ObjectKeyFromObject(again.service))
	if m.of(again) == fresh {
		t.Error("what was forgotten is known")
	}
}
