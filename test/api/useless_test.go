package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What is well-formed and could never do anything is refused where it is written, and the message names the field and
// what is allowed. An empty want says that the API accepts it.
func TestUselessValuesAreRefused(t *testing.T) {
	for _, tt := range uselessCases() {
		t.Run(fmt.Sprintf("%.200v", tt.set), func(t *testing.T) {
			err := dryRun(t, tt.set.edited(t))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case tt.want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it refused with %q", err, tt.want)
			}
		})
	}
}

type values map[string]any

// edited is the service that has every field, with other values.
func (v values) edited(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	object := everyField(t)
	for path, value := range v {
		put(object, path, value)
	}
	return object
}

type uselessCase struct {
	set  values
	want string
}

func uselessCases() []uselessCase {
	cpu := func(utilization int64) []any {
		return []any{map[string]any{"name": "cpu", "type": "CPU", "averageUtilization": utilization}}
	}
	const (
		name         = "metadata.name must not be default or kubernetes"
		image        = "image must be a name with a tag, a digest or both"
		cores        = "cpu must be a quantity of cores from 1m to 1000"
		bytes        = "memory must be a quantity of bytes from 1Mi to 64Ti"
		leastMemory  = "limits.memory must be at least 64Mi"
		averageValue = "scaling.metrics: averageValue must be below runtime.maxInFlight"
		utilization  = "scaling.metrics: averageUtilization must be below runtime.resources.limits.cpu in percent of requests.cpu"
	)
	return []uselessCase{
		{values{"metadata.name": "default"}, name},
		{values{"metadata.name": "kubernetes"}, name},
		{values{"metadata.name": "defaults"}, ""},

		{values{"spec.runtime.image": "a::b"}, image},
		{values{"spec.runtime.image": "a:b:c"}, image},
		{values{"spec.runtime.image": "https://registry.example.com/a"}, image},
		{values{"spec.runtime.image": "registry.example.com/a:"}, image},
		{values{"spec.runtime.image": "registry.example.com//a"}, image},
		{values{"spec.runtime.image": "registry.example.com/a/"}, image},
		{values{"spec.runtime.image": "registry.example.com/A"}, image},
		{values{"spec.runtime.image": "registry.example.com/a:-b"}, image},
		{values{"spec.runtime.image": "registry.example.com/a:" + letters(129)}, image},
		{values{"spec.runtime.image": "registry.example.com/a@sha256:12"}, image},
		{values{"spec.runtime.image": "registry.example.com/a@sha256:" + strings.Repeat("A", 64)}, image},
		{values{"spec.runtime.image": "registry.example.com/a@md5:" + letters(32)}, image},
		{values{"spec.runtime.image": letters(64)}, "64 hexadecimal digits"},
		{values{"spec.runtime.image": "g" + letters(255)}, "a name of at most 255 characters"},
		{values{"spec.runtime.image": "a"}, ""},
		{values{"spec.runtime.image": "g" + letters(254) + ":v1"}, ""},
		{values{"spec.runtime.image": "localhost:5000/team/gateway"}, ""},
		{values{"spec.runtime.image": "[::1]:5000/team/a.b__c-d--e:V1.2_3-rc"}, ""},
		{values{"spec.runtime.image": "Registry.example.com/a:" + letters(128) + "@sha256:" + letters(64)}, ""},
		{values{"spec.runtime.image": "registry.example.com/a@sha512:" + letters(128)}, ""},

		{values{"spec.runtime.resources.limits.memory": "128m"}, bytes},
		{values{"spec.runtime.resources.requests.memory": "128m"}, bytes},
		{values{"spec.runtime.resources.requests.memory": int64(0)}, bytes},
		{values{"spec.runtime.resources.requests.memory": int64(256)}, bytes},
		{values{"spec.runtime.resources.requests.memory": "1023Ki"}, bytes},
		{values{"spec.runtime.resources.requests.memory": "1Mi"}, ""},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"memory": "65Ti"}}}, bytes},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"memory": "64Ti"}}}, ""},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"memory": "63Mi"}}}, leastMemory},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"memory": "64Mi"}}}, ""},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"memory": "1.5Gi"}}}, ""},
		{values{"spec.runtime.resources": map[string]any{"requests": map[string]any{"memory": "64Mi"}}}, ""},
		{values{"spec.runtime.resources.requests.cpu": int64(0)}, cores},
		{values{"spec.runtime.resources.requests.cpu": "0m"}, cores},
		{values{"spec.runtime.resources.requests.cpu": "999u"}, cores},
		{values{"spec.runtime.resources.requests.cpu": "1m"}, ""},
		{values{"spec.runtime.resources.limits.cpu": "1001"}, cores},
		{values{"spec.runtime.resources.limits.cpu": "1000"}, ""},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"cpu": "9m"}}}, "limits.cpu must be at least 10m"},
		{values{"spec.runtime.resources": map[string]any{"limits": map[string]any{"cpu": "10m"}}}, ""},
		{values{"spec.runtime.requestBodyLimit": "1024500m"}, ""},

		{values{"spec.scaling.metrics[0].averageValue": int64(200)}, averageValue},
		{values{"spec.scaling.metrics[0].averageValue": int64(201)}, averageValue},
		{values{"spec.scaling.metrics[0].averageValue": int64(199)}, ""},
		{values{"spec.runtime.maxInFlight": int64(100)}, averageValue},
		{values{"spec.runtime.maxInFlight": missing, "spec.scaling.metrics[0].averageValue": int64(100_000)}, ""},
		{values{"spec.runtime.maxInFlight": int64(1), "spec.scaling": missing}, ""},
		{values{"spec.runtime.maxInFlight": int64(1), "spec.scaling.metrics": cpu(70)}, ""},
		// 250m asked for, 2 allowed.
		{values{"spec.scaling.metrics": cpu(799)}, ""},
		{values{"spec.scaling.metrics": cpu(800)}, utilization},
		{values{"spec.scaling.metrics": cpu(99), "spec.runtime.resources.requests": missing}, ""},
		{values{"spec.scaling.metrics": cpu(100), "spec.runtime.resources.requests": missing}, utilization},
		{values{"spec.scaling.metrics": cpu(100), "spec.runtime.resources.requests.cpu": missing}, utilization},
		{values{"spec.scaling.metrics": cpu(100), "spec.runtime.resources.limits.cpu": "250m"}, utilization},
		{values{"spec.scaling.metrics": cpu(1000), "spec.runtime.resources.limits": missing}, ""},
		{values{"spec.scaling.metrics": cpu(1000), "spec.runtime.resources": missing}, ""},
	}
}

// What a HorizontalPodAutoscaler would refuse of its behavior, the LLMService refuses, and says of which field.
func TestBehaviorIsTheAutoscalers(t *testing.T) {
	policy := func(kind string, value, period int64) map[string]any {
		return map[string]any{"type": kind, "value": value, "periodSeconds": period}
	}
	policies := func(n int) []any { return times(n, func(int) any { return policy("Pods", 1, 15) }) }
	for _, tt := range []struct {
		member string
		value  any
		want   string
		// only is set where the HorizontalPodAutoscaler takes what could never do anything.
		only bool
	}{
		{"stabilizationWindowSeconds", int64(-1), "should be greater than or equal to 0", false},
		{"stabilizationWindowSeconds", int64(0), "", false},
		{"stabilizationWindowSeconds", int64(3600), "", false},
		{"stabilizationWindowSeconds", int64(3601), "should be less than or equal to 3600", false},
		{"selectPolicy", "Max", "", false},
		{"selectPolicy", "Min", "", false},
		{"selectPolicy", "Disabled", "", false},
		{"selectPolicy", "Average", "Unsupported value", false},
		{"selectPolicy", "disabled", "Unsupported value", false},
		{"policies", []any{}, "should have at least 1 items", false},
		{"policies", policies(16), "", false},
		{"policies", policies(17), "Too many", true},
		{"policies", []any{policy("Pods", 0, 15)}, "should be greater than or equal to 1", false},
		{"policies", []any{policy("Pods", -1, 15)}, "should be greater than or equal to 1", false},
		{"policies", []any{policy("Percent", 100_000, 15)}, "", false},
		{"policies", []any{policy("Percent", 100_001, 15)}, "should be less than or equal to 100000", true},
		{"policies", []any{policy("Pods", 1, 0)}, "should be greater than or equal to 1", false},
		{"policies", []any{policy("Pods", 1, 1800)}, "", false},
		{"policies", []any{policy("Pods", 1, 1801)}, "should be less than or equal to 1800", false},
		{"policies", []any{policy("Replicas", 1, 15)}, "Unsupported value", false},
		{"policies", []any{map[string]any{"type": "Pods", "value": int64(1)}}, "periodSeconds: Required value", false},
		{"policies", []any{map[string]any{"type": "Pods", "periodSeconds": int64(15)}}, "value: Required value", false},
		{"policies", []any{map[string]any{"value": int64(1), "periodSeconds": int64(15)}}, "type: Required value", false},
		{"tolerance", "-1m", "tolerance must be a quantity from 0 to below 1", false},
		{"tolerance", "0", "", false},
		{"tolerance", int64(0), "", false},
		{"tolerance", "0.05", "", false},
		{"tolerance", "999m", "", false},
		{"tolerance", int64(1), "tolerance must be a quantity from 0 to below 1", true},
		{"tolerance", "10", "tolerance must be a quantity from 0 to below 1", true},
		{"tolerance", "1e1.5", "tolerance must be a quantity from 0 to below 1", false},
	} {
		for _, direction := range []string{"scaleUp", "scaleDown"} {
			t.Run(fmt.Sprintf("%s.%s %.40v", direction, tt.member, tt.value), func(t *testing.T) {
				path := "spec.scaling.behavior." + direction + "." + tt.member
				service := everyField(t)
				put(service, path, tt.value)
				err := dryRun(t, service)
				if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("the LLMService: got %v, want %q", err, tt.want)
				}
				if err != nil && !strings.Contains(err.Error(), path) {
					t.Errorf("%v does not name %s", err, path)
				}
				autoscaler := autoscalerWith(service)
				if err := api.Create(t.Context(), autoscaler, client.DryRunAll); (err != nil) != (tt.want != "" && !tt.only) {
					t.Errorf("the HorizontalPodAutoscaler: got %v", err)
				}
			})
		}
	}
}

// autoscalerWith is one that has the service's behavior as it stands there.
func autoscalerWith(service *unstructured.Unstructured) *unstructured.Unstructured {
	autoscaler := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": map[string]any{"name": "behavior", "namespace": service.GetNamespace()},
		"spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "behavior"},
			"maxReplicas":    int64(2),
			"behavior":       at(service, "spec.scaling.behavior"),
		},
	}}
	return autoscaler
}

// docs/scaling.md says by how much a HorizontalPodAutoscaler adds at a time: that is Kubernetes' default, which this API server sets.
func TestDefaultBehaviorOfTheAutoscaler(t *testing.T) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "defaults"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "any"}, MaxReplicas: 2,
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{}},
		},
	}
	if err := api.Create(t.Context(), hpa, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	want := []autoscalingv2.HPAScalingPolicy{
		{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}, {Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
	}
	up := hpa.Spec.Behavior.ScaleUp
	if diff := cmp.Diff(want, up.Policies); diff != "" || *up.SelectPolicy != autoscalingv2.MaxChangePolicySelect {
		t.Errorf("%s of (-want +got):\n%s", *up.SelectPolicy, diff)
	}
}
