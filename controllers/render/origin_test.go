package render

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// What of the spec changes the pods' template changes its origin, and nothing else does: a change of the spec that looked like the
// operator's would wait, and a change of the config would take the operator's template along.
func TestOriginIsTheTemplatesSpec(t *testing.T) {
	runtimeWith := func(change func(*v1alpha1.Runtime)) func(*Input) {
		return func(in *Input) {
			r := runtimeOf(in.Service)
			change(&r)
			in.Service.Spec.Runtime = &r
		}
	}
	for _, tt := range []struct {
		name     string
		change   func(*Input)
		template bool
		origin   bool
	}{
		{"image", runtimeWith(func(r *v1alpha1.Runtime) { r.Image = "mirror/gateway:v2" }), true, true},
		{"workers", runtimeWith(func(r *v1alpha1.Runtime) { r.Workers = new(intstr.FromInt32(7)) }), true, true},
		{"resources", runtimeWith(func(r *v1alpha1.Runtime) {
			r.Resources = &v1alpha1.Resources{Requests: &v1alpha1.ResourceList{CPU: new(resource.MustParse("7"))}}
		}), true, true},
		{"maxStreamDuration", runtimeWith(func(r *v1alpha1.Runtime) { r.MaxStreamDuration = "7m" }), true, true},
		{"podTemplate", runtimeWith(func(r *v1alpha1.Runtime) {
			r.PodTemplate = &v1alpha1.JSON{Raw: []byte(`{"metadata":{"annotations":{"a":"b"}}}`)}
		}), true, true},
		{"a Secret", func(in *Input) { in.Current.Secrets = append(in.Current.Secrets, "another") }, true, true},
		{"maxInFlight", runtimeWith(func(r *v1alpha1.Runtime) { r.MaxInFlight = 7 }), false, false},
		{"replicas", func(in *Input) { in.Replicas = 7 }, false, false},
		{"the operator's image", func(in *Input) { in.Gateway.Image = "gateway:next" }, true, false},
		{"the operator's log level", func(in *Input) { in.Gateway.LogLevel = "debug" }, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after := originInput(), originInput()
			tt.change(&after)
			wasTemplate, wasOrigin := templateAndOrigin(t, before)
			template, origin := templateAndOrigin(t, after)
			if (template != wasTemplate) != tt.template {
				t.Errorf("the template changes: %v, want %v", template != wasTemplate, tt.template)
			}
			if (origin != wasOrigin) != tt.origin {
				t.Errorf("the origin changes: %v, want %v", origin != wasOrigin, tt.origin)
			}
		})
	}
}

// The origins that Deployments of older releases record are compared with those of this one. If this test fails, templateSpec has
// changed, and OriginFormat must, too.
func TestOriginFormat(t *testing.T) {
	in := originInput()
	with := runtimeOf(in.Service)
	with.PodTemplate = &v1alpha1.JSON{Raw: []byte(`{"metadata": {"annotations": {"a": "<b>"}}}`)}
	in.Service.Spec.Runtime = &with
	_, origin := templateAndOrigin(t, in)
	if got, want := origin, "60a42e84df4b4bcb"; got != want || OriginFormat != 1 {
		t.Errorf("the origin of format %d is %s, want %s of format 1", OriginFormat, got, want)
	}
}

func originInput() Input {
	service := &v1alpha1.LLMService{}
	service.Name, service.Namespace = "assistant", "default"
	service.Spec.Runtime = &v1alpha1.Runtime{Workers: new(intstr.FromInt32(2)), MaxStreamDuration: "5m"}
	return Input{
		Service: service, Current: Document{Encoded: []byte("{}"), Secrets: []string{"keys"}}, Replicas: 2,
		Gateway: GatewaySettings{Image: "gateway:test"},
	}
}

func templateAndOrigin(t *testing.T, in Input) (template, origin string) {
	t.Helper()
	children, err := deployment(in)
	if err != nil {
		t.Fatal(err)
	}
	object, err := children[0].Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	_, template, _ = strings.Cut(string(spec), `"template":`)
	return template, children[0].Origin
}
