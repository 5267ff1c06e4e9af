package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// ctxAfter is for what is to be done when the test's own context has ended.
func ctxAfter(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDefaults(t *testing.T) {
	object := minimal(t, "defaults")
	put(object, "spec.upstreams", []any{upstream(0)})
	put(object, "spec.routes", []any{route(0)})
	put(object, "spec.routes[0].steps", []any{
		map[string]any{"name": "chat", "chat": map[string]any{
			"upstream": "fast", "messages": times(1, message), "output": map[string]any{"schema": map[string]any{}},
		}},
		map[string]any{"name": "http", "http": map[string]any{"upstream": "search", "path": "/"}},
		map[string]any{"name": "agent", "agent": map[string]any{
			"upstream": "fast", "messages": times(1, message), "tools": times(1, name),
		}},
		map[string]any{"name": "vote", "gather": map[string]any{
			"strategy": "Vote", "branches": times(2, chatStep), "vote": map[string]any{"key": "${result.text}"},
		}},
		map[string]any{"name": "each", "forEach": map[string]any{
			"items": "${[1]}", "do": map[string]any{"call": map[string]any{"function": "f"}},
		}},
	})
	put(object, "spec.scaling", map[string]any{"maxReplicas": int64(3), "metrics": []any{metric(0)}})
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	stored := object.DeepCopy()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"spec.upstreams[0].timeouts.connect":          "2s",
		"spec.upstreams[0].timeouts.firstToken":       "30s",
		"spec.upstreams[0].timeouts.idle":             "30s",
		"spec.upstreams[0].timeouts.total":            "2m",
		"spec.routes[0].method":                       "POST",
		"spec.routes[0].timeout":                      "30s",
		"spec.routes[0].budget":                       map[string]any{"maxCalls": int64(64), "maxBytes": int64(16 << 20)},
		"spec.routes[0].response":                     map[string]any{"stream": "s0"},
		"spec.routes[0].steps[0].chat.output":         map[string]any{"schema": map[string]any{}, "responseFormat": "Schema", "repairAttempts": int64(1)},
		"spec.routes[0].steps[1].http.method":         "GET",
		"spec.routes[0].steps[2].agent.maxTurns":      int64(8),
		"spec.routes[0].steps[2].agent.maxParallel":   int64(4),
		"spec.routes[0].steps[3].gather.vote.ties":    "Fail",
		"spec.routes[0].steps[4].forEach.maxItems":    int64(64),
		"spec.routes[0].steps[4].forEach.maxParallel": int64(4),
		"spec.runtime.workers":                        "Auto",
		"spec.runtime.maxInFlight":                    nil, // the gateway knows its memory
		"spec.runtime.requestBodyLimit":               "4Mi",
		"spec.runtime.maxStreamDuration":              "5m",
		"spec.scaling.minReplicas":                    int64(1),
		"spec.replicas":                               int64(1),
		"spec.exposure.service.port":                  int64(80),
		"status.observedGeneration":                   int64(-1),
	} {
		if diff := cmp.Diff(want, at(stored, path)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", path, diff)
		}
	}
}

// A JSON value is stored as it was sent, nulls within it included. A null in its place is no value: the API server drops it,
// and ${null} is one.
func TestJSONValuesAreStoredAsSent(t *testing.T) {
	object := everyField(t)
	object.SetName("values")
	delete(object.Object, "status")
	for i, value := range []any{
		false, int64(0), 0.5, "", "${null}", []any{}, []any{nil, []any{nil}}, map[string]any{}, map[string]any{"a": nil, "on": true},
	} {
		for _, path := range []string{
			"spec.functions[0].output", "spec.routes[1].response.body", "spec.routes[1].steps[0].respond.body",
			"spec.routes[2].steps[0].onError.value", "spec.routes[2].steps[2].http.body", "spec.routes[2].steps[3].call.input",
			"spec.routes[2].steps[14].set.value",
		} {
			t.Run(fmt.Sprint(path, i), func(t *testing.T) {
				sent := object.DeepCopy()
				put(sent, path, value)
				if err := create(t, sent); err != nil {
					t.Fatal(err)
				}
				var service v1alpha1.LLMService
				if err := api.Get(t.Context(), client.ObjectKeyFromObject(sent), &service); err != nil {
					t.Fatal(err)
				}
				typed, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&service)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(value, at(&unstructured.Unstructured{Object: typed}, path)); diff != "" {
					t.Errorf("(- sent, + read):\n%s", diff)
				}
			})
		}
	}
}

func TestNullIsNoValue(t *testing.T) {
	object := everyField(t)
	object.SetName("null")
	paths := []string{
		"spec.routes[1].steps[0].respond.body", "spec.routes[2].steps[0].onError.value", "spec.routes[2].steps[2].http.body",
		"spec.routes[2].steps[3].call.input",
	}
	for _, path := range paths {
		put(object, path, nil)
	}
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		around, member := path[:strings.LastIndexByte(path, '.')], path[strings.LastIndexByte(path, '.')+1:]
		if _, found := at(object, around).(map[string]any)[member]; found {
			t.Errorf("%s is stored", path)
		}
	}
}

// A HorizontalPodAutoscaler asks for the scale of a service that no operator has seen yet.
func TestScaleOfFreshObject(t *testing.T) {
	object := minimal(t, "scaled")
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	service, scale := &v1alpha1.LLMService{}, &autoscalingv1.Scale{}
	service.Name, service.Namespace = object.GetName(), object.GetNamespace()
	if err := api.SubResource("scale").Get(t.Context(), service, scale); err != nil {
		t.Fatal(err)
	}
	if scale.Spec.Replicas != 1 || scale.Status.Replicas != 0 || scale.Status.Selector != "" {
		t.Errorf("scale is %+v %+v", scale.Spec, scale.Status)
	}
	scale.Spec.Replicas = 7
	if err := api.SubResource("scale").Update(t.Context(), service, client.WithSubResourceBody(scale)); err != nil {
		t.Fatal(err)
	}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), service); err != nil {
		t.Fatal(err)
	}
	if got := *service.Spec.Replicas; got != 7 {
		t.Errorf("spec.replicas is %d, want 7", got)
	}
	scale.ResourceVersion, scale.Spec.Replicas = "", 1001
	if err := api.SubResource("scale").Update(t.Context(), service, client.WithSubResourceBody(scale)); err == nil {
		t.Error("the scale subresource accepts more replicas than the spec")
	}
}

func TestScaleReadsStatus(t *testing.T) {
	object := everyField(t)
	object.SetName("scale-status")
	status := at(object, "status")
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	put(object, "status", status)
	if err := api.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	service, scale := &v1alpha1.LLMService{}, &autoscalingv1.Scale{}
	service.Name, service.Namespace = object.GetName(), object.GetNamespace()
	if err := api.SubResource("scale").Get(t.Context(), service, scale); err != nil {
		t.Fatal(err)
	}
	want := autoscalingv1.ScaleStatus{Replicas: 2, Selector: "app.kubernetes.io/instance=every-field"}
	if diff := cmp.Diff(want, scale.Status); diff != "" {
		t.Error(diff)
	}
}

// What a typed client writes is what it reads: no member is lost, no zero becomes a value.
func TestTypedRoundTrip(t *testing.T) {
	object := everyField(t)
	object.SetName("typed")
	delete(object.Object, "status")
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	var service v1alpha1.LLMService
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), &service); err != nil {
		t.Fatal(err)
	}
	if err := api.Update(t.Context(), &service, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Fatal(err)
	}
	after := object.DeepCopy()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(at(object, "spec"), at(after, "spec")); diff != "" {
		t.Error(diff)
	}
	if object.GetGeneration() != after.GetGeneration() {
		t.Errorf("writing what was read made generation %d of %d", after.GetGeneration(), object.GetGeneration())
	}
}

// Two users that apply different named items own one each; the routes of one path differ by method.
func TestNamedListsMerge(t *testing.T) {
	first, second := minimal(t, "merged"), minimal(t, "merged")
	get, post := route(0).(map[string]any), route(0).(map[string]any)
	get["method"], post["method"] = "GET", "POST"
	put(first, "spec", map[string]any{
		"upstreams": []any{upstream(1)}, "models": []any{model(1)}, "functions": []any{function(1)}, "routes": []any{get},
	})
	put(second, "spec", map[string]any{
		"upstreams": []any{upstream(2)}, "models": []any{model(2)}, "functions": []any{function(2)}, "routes": []any{post},
	})
	for owner, object := range map[string]*unstructured.Unstructured{"one": first, "two": second} {
		apply := client.ApplyConfigurationFromUnstructured(object)
		if err := api.Apply(t.Context(), apply, client.FieldOwner(owner)); err != nil {
			t.Fatal(err)
		}
	}
	var service v1alpha1.LLMService
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(first), &service); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Delete(ctxAfter(t), &service); err != nil {
			t.Error(err)
		}
	})
	got := fmt.Sprint(len(service.Spec.Upstreams), len(service.Spec.Models), len(service.Spec.Functions), len(service.Spec.Routes))
	if got != "2 2 2 2" {
		t.Errorf("there are %s upstreams, models, functions and routes, want 2 of each", got)
	}
}
