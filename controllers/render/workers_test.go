package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

func TestWorkers(t *testing.T) {
	number, auto := intstr.FromInt32(5), intstr.FromString(v1alpha1.WorkersAuto)
	cpu := func(quantity string) *v1alpha1.ResourceList {
		q := resource.MustParse(quantity)
		return &v1alpha1.ResourceList{CPU: &q}
	}
	for name, tt := range map[string]struct {
		runtime v1alpha1.Runtime
		want    int64
	}{
		"a number":              {v1alpha1.Runtime{Workers: &number}, 5},
		"nothing known":         {v1alpha1.Runtime{Workers: &auto}, 2},
		"unset":                 {v1alpha1.Runtime{}, 2},
		"limit rounded up":      {v1alpha1.Runtime{Resources: &v1alpha1.Resources{Limits: cpu("2100m")}}, 3},
		"limit before request":  {v1alpha1.Runtime{Resources: &v1alpha1.Resources{Limits: cpu("4"), Requests: cpu("3")}}, 4},
		"request rounded up":    {v1alpha1.Runtime{Resources: &v1alpha1.Resources{Requests: cpu("2.5")}}, 3},
		"small request":         {v1alpha1.Runtime{Resources: &v1alpha1.Resources{Requests: cpu("100m")}}, 2},
		"more than the maximum": {v1alpha1.Runtime{Resources: &v1alpha1.Resources{Limits: cpu("96")}}, 64},
		"memory limit alone": {v1alpha1.Runtime{Resources: &v1alpha1.Resources{
			Limits: &v1alpha1.ResourceList{}, Requests: cpu("3"),
		}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Workers(&v1alpha1.LLMService{Spec: v1alpha1.LLMServiceSpec{Runtime: &tt.runtime}})
			if err != nil || got != tt.want {
				t.Errorf("got %d, %v, want %d", got, err, tt.want)
			}
		})
	}
}

// The container's own limit may be another than the manifest's: of a LimitRange, or of a VerticalPodAutoscaler.
func TestAutoWorkersFollowTheContainer(t *testing.T) {
	number, auto := intstr.FromInt32(5), intstr.FromString(v1alpha1.WorkersAuto)
	for name, tt := range map[string]struct {
		workers *intstr.IntOrString
		want    map[string]string
	}{
		"a number": {&number, nil},
		"auto":     {&auto, map[string]string{delivery.WorkersVariable: delivery.WorkersAuto}},
		"unset":    {nil, map[string]string{delivery.WorkersVariable: delivery.WorkersAuto}},
	} {
		t.Run(name, func(t *testing.T) {
			container := accorev1.Container()
			if err := addWorkers(container, &v1alpha1.LLMService{Spec: v1alpha1.LLMServiceSpec{Runtime: &v1alpha1.Runtime{Workers: tt.workers}}}); err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			for _, variable := range container.Env {
				got = map[string]string{*variable.Name: *variable.Value}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}
