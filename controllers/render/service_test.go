package render_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// Each refusal names the field and the key. An empty want says that the key is accepted.
func TestKeysOfTheService(t *testing.T) {
	for _, tt := range []struct{ key, want string }{
		{"team", ""},
		{"service.beta.kubernetes.io/aws-load-balancer-scheme", ""},
		{"example.com/A_b.C", ""},
		{"", `"" is not a valid key: `},
		{"a b", `"a b" is not a valid key: `},
		{"a/b/c", `"a/b/c" is not a valid key: `},
		{strings.Repeat("a", 64), `"` + strings.Repeat("a", 64) + `" is not a valid key: `},
		{render.LabelManagedBy, render.LabelManagedBy + " must not be set: "},
		{"serving.llmservice.dev/accepted", "serving.llmservice.dev/accepted must not be set: "},
	} {
		for of, e := range map[string]v1alpha1.ServiceExposure{
			"labels":      {Labels: map[string]v1alpha1.LabelValue{tt.key: "a"}},
			"annotations": {Annotations: map[string]v1alpha1.AnnotationValue{tt.key: "a"}},
		} {
			s := service(t, "minimal")
			s.Spec.Exposure.Service = &e
			errs := render.CheckChildren(s)
			if want := "exposure.service." + of + ": " + tt.want; (tt.want == "") != (len(errs) == 0) ||
				len(errs) > 0 && !strings.HasPrefix(errs[0].Error(), want) {
				t.Errorf("%s %q: got %v, want %s", of, tt.key, errs, want)
			}
		}
	}
	s := service(t, "minimal")
	s.Spec.Exposure.Service.Ports = []v1alpha1.ServicePort{{Name: "a", Port: 7}, {Name: "b", Port: 8, TargetPort: new(intstr.FromString("B b"))}}
	if errs := render.CheckChildren(s); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "exposure.service.ports[1].targetPort: ") {
		t.Errorf("a port that is not one: %v", errs)
	}
}
