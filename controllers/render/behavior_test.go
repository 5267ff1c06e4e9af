package render

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// The types of the API have the members of those that they are passed on to.
func TestBehaviorHasTheAutoscalersMembers(t *testing.T) {
	for _, pair := range [][2]any{
		{v1alpha1.ScalingBehavior{}, autoscalingv2.HorizontalPodAutoscalerBehavior{}},
		{v1alpha1.ScalingRules{}, autoscalingv2.HPAScalingRules{}},
		{v1alpha1.ScalingPolicy{}, autoscalingv2.HPAScalingPolicy{}},
	} {
		if diff := cmp.Diff(members(pair[1]), members(pair[0])); diff != "" {
			t.Errorf("%T (-autoscaling/v2 +ours):\n%s", pair[0], diff)
		}
	}
}

func members(of any) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Every member reaches the HorizontalPodAutoscaler as it is.
func TestBehaviorIsPassedOn(t *testing.T) {
	rules := func(window int32, tolerance string) *v1alpha1.ScalingRules {
		quantity := resource.MustParse(tolerance)
		return &v1alpha1.ScalingRules{
			StabilizationWindowSeconds: &window, SelectPolicy: "Min", Tolerance: &quantity,
			Policies: []v1alpha1.ScalingPolicy{{Type: "Pods", Value: 2, PeriodSeconds: 15}, {Type: "Percent", Value: 50, PeriodSeconds: 30}},
		}
	}
	for _, behavior := range []*v1alpha1.ScalingBehavior{
		{}, {ScaleUp: rules(0, "50m")}, {ScaleDown: rules(300, "0")}, {ScaleUp: &v1alpha1.ScalingRules{}},
	} {
		want, err := json.Marshal(behavior)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(scalingBehavior(behavior))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
			t.Errorf("(-spec +rendered):\n%s", diff)
		}
	}
}

func decoded(t *testing.T, encoded []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(encoded, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Quantities are rendered as the API server rounds them, so that what it stores is what was applied.
func TestResourcesAreRoundedAsTheAPIServerDoes(t *testing.T) {
	fine, whole := resource.MustParse("250100u"), resource.MustParse("1.0000001Mi")
	got := resourceList(&v1alpha1.ResourceList{CPU: &fine, Memory: &whole})
	if cpu, memory := got.Cpu().String(), got.Memory().String(); cpu != "251m" || memory != "1048576105m" {
		t.Errorf("cpu %s, memory %s", cpu, memory)
	}
	if fine.String() != "250100u" {
		t.Errorf("the spec became %s", fine.String())
	}
}
