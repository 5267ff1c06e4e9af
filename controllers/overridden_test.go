package controllers

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// at is the member of a JSON object at a path; numbers are places in lists.
func at(value any, path ...any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			value = value.(map[string]any)[step]
		case int:
			value = value.([]any)[step]
		}
	}
	return value.(map[string]any)
}

// TestOverridden: what admission makes of a child is told with the field, what was wanted and what was given, unless a gateway
// does with it all the same. Nothing of the config is repeated.
func TestOverridden(t *testing.T) {
	const none = ""
	tests := []struct {
		name, kind string
		change     func(live map[string]any)
		want       string
	}{
		{"nothing", "Deployment", func(map[string]any) {}, none},
		{"a shorter grace period", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec")["terminationGracePeriodSeconds"] = int64(30)
		}, "spec.template.spec.terminationGracePeriodSeconds is 30, wanted 320"},
		{"a longer one", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec")["terminationGracePeriodSeconds"] = int64(3000)
		}, none},
		{"a mirror's image", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0)["image"] = "mirror.test/gateway"
		}, none},
		{"a sidecar", "Deployment", func(live map[string]any) {
			pod := at(live, "spec", "template", "spec")
			pod["containers"] = append([]any{map[string]any{"name": "proxy"}}, pod["containers"].([]any)...)
		}, none},
		{"another port", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0, "ports", 0)["containerPort"] = int64(80)
		}, "spec.template.spec.containers[gateway].ports[http].containerPort is 80, wanted 8080"},
		{"a port less", "Deployment", func(live map[string]any) {
			container := at(live, "spec", "template", "spec", "containers", 0)
			container["ports"] = container["ports"].([]any)[:1]
		}, `spec.template.spec.containers[gateway].ports[admin] is missing, wanted {"containerPort":9090,"name":"admin","protocol":"TCP"}`},
		{"a probe less", "Deployment", func(live map[string]any) {
			delete(at(live, "spec", "template", "spec", "containers", 0), "livenessProbe")
		}, "spec.template.spec.containers[gateway].livenessProbe is missing, wanted {"},
		{"another probe", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0, "livenessProbe")["timeoutSeconds"] = int64(1)
		}, "spec.template.spec.containers[gateway].livenessProbe.timeoutSeconds is 1, wanted 10"},
		{"a memory limit that is lower", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0, "resources", "limits")["memory"] = "128Mi"
		}, `spec.template.spec.containers[gateway].resources.limits.memory is "128Mi", wanted "1Gi"`},
		{"one that is higher", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0, "resources", "limits")["memory"] = "2Gi"
		}, none},
		{"no limits at all", "Deployment", func(live map[string]any) {
			delete(at(live, "spec", "template", "spec", "containers", 0, "resources"), "limits")
		}, none},
		{"another argument", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0)["args"] = []any{"--workers=1"}
		}, `spec.template.spec.containers[gateway].args is ["--workers=1"], wanted ["--workers=2","--max-stream-duration=5m0s"]`},
		{"another variable", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec", "containers", 0, "env", 0)["value"] = "Other"
		}, "spec.template.spec.containers[gateway].env[LLMSERVICE_WORKERS].value differs from the applied value"},
		{"a container less", "Deployment", func(live map[string]any) {
			at(live, "spec", "template", "spec")["containers"] = []any{}
		}, `spec.template.spec.containers[gateway] is missing, wanted {"args":["--workers=2",`},
		{"fewer replicas", "Deployment", func(live map[string]any) { at(live, "spec")["replicas"] = int64(1) }, "spec.replicas is 1, wanted 3"},
		{"a label less", "Deployment", func(live map[string]any) {
			delete(at(live, "spec", "template", "metadata", "labels"), render.LabelName)
		}, `spec.template.metadata.labels[app.kubernetes.io/name] is missing, wanted "llmservice-gateway"`},
		{"somebody's annotation", "Deployment", func(live map[string]any) {
			at(live, "metadata", "annotations")["theirs"] = "x"
		}, none},
		{"a capped maximum", "HorizontalPodAutoscaler", func(live map[string]any) { at(live, "spec")["maxReplicas"] = int64(5) }, "spec.maxReplicas is 5, wanted 20"},
		{"another target", "HorizontalPodAutoscaler", func(live map[string]any) {
			at(live, "spec", "metrics", 0, "object", "target")["averageValue"] = "1"
		}, `spec.metrics[0].object.target.averageValue is "1", wanted "10"`},
		{"a metric more", "HorizontalPodAutoscaler", func(live map[string]any) {
			spec := at(live, "spec")
			spec["metrics"] = append(spec["metrics"].([]any), map[string]any{"type": "Resource"})
		}, "spec.metrics is [{"},
		{"a wider selector", "Service", func(live map[string]any) { at(live, "spec", "selector")["by"] = "admission" }, `spec.selector is {`},
		{"another port of the Service", "Service", func(live map[string]any) {
			at(live, "spec", "ports", 0)["port"] = int64(8080)
		}, "spec.ports[http].port is 8080, wanted 80"},
		{"a port more", "Service", func(live map[string]any) {
			spec := at(live, "spec")
			spec["ports"] = append(spec["ports"].([]any), map[string]any{"name": "metrics"})
		}, none},
		{"a port that is not named", "NetworkPolicy", func(live map[string]any) {
			at(live, "spec", "egress", 0, "ports", 1)["port"] = int64(54)
		}, "spec.egress[0].ports[1].port is 54, wanted 53"},
		{"a rule more", "NetworkPolicy", func(live map[string]any) {
			spec := at(live, "spec")
			spec["ingress"] = append(spec["ingress"].([]any), map[string]any{})
		}, "spec.ingress is [{"},
		{"a token", "ServiceAccount", func(live map[string]any) { live["automountServiceAccountToken"] = true }, "automountServiceAccountToken is true, wanted false"},
		{"a budget", "PodDisruptionBudget", func(live map[string]any) { at(live, "spec")["maxUnavailable"] = "50%" }, `spec.maxUnavailable is "50%", wanted "25%"`},
		{"a config", "ConfigMap", func(live map[string]any) { at(live, "data")["current"] = "a prompt" }, "data.current differs from the applied value"},
		{"an annotation less", "ConfigMap", func(live map[string]any) {
			delete(at(live, "metadata", "annotations"), render.AcceptedAnnotation)
		}, "metadata.annotations[serving.llmservice.dev/accepted] is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.name, func(t *testing.T) {
			child, rendered := renderedChild(t, tt.kind)
			live := rendered.DeepCopy().Object
			tt.change(live)
			found := overriddenIn(live, child, rendered)
			got := strings.Join(found, "; ")
			if tt.want == none && len(found) > 0 || tt.want != none && (len(found) != 1 || !strings.HasPrefix(got, tt.kind+" "+child.Name+": "+tt.want)) {
				t.Errorf("overridden: %q, want %q", found, tt.want)
			}
			if strings.Contains(got, "prompt") {
				t.Errorf("%q repeats the config", got)
			}
		})
	}
}

func TestOverriddenIsBounded(t *testing.T) {
	child, rendered := renderedChild(t, "Deployment")
	found := overriddenIn(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"name": render.ContainerName}},
	}}}}, child, rendered)
	if len(found) != maxOverridden+1 || !strings.HasSuffix(found[maxOverridden], " more fields") {
		t.Errorf("%d fields are listed: %q", len(found), found)
	}
	for _, field := range found {
		if len(field) > 400 {
			t.Errorf("%d bytes: %s", len(field), field)
		}
	}
}

// renderedChild is a child of a service that has one of each kind.
func renderedChild(t *testing.T, kind string) (*render.Child, *unstructured.Unstructured) {
	t.Helper()
	service := serviceWith("http://model.test/v1")
	service.Spec.Runtime.Resources = &v1alpha1.Resources{Limits: &v1alpha1.ResourceList{Memory: new(resource.MustParse("1Gi"))}}
	service.Spec.Exposure = &v1alpha1.Exposure{
		Service:       &v1alpha1.ServiceExposure{Port: 80},
		NetworkPolicy: &v1alpha1.NetworkPolicyExposure{Egress: &v1alpha1.NetworkPolicyEgress{}},
	}
	service.Spec.Scaling = &v1alpha1.Scaling{
		MinReplicas: 1, MaxReplicas: 20, Metrics: []v1alpha1.Metric{{Name: "streams", Type: v1alpha1.MetricInFlight, AverageValue: 10}},
	}
	gateway := render.GatewaySettings{Image: "gateway:test"}
	document, problem := documentOf(service, gateway)
	if problem != nil {
		t.Fatal(problem.message)
	}
	children, err := render.Kinds().Children(render.Input{Service: service, Current: document, Replicas: 3, Gateway: gateway})
	if err != nil {
		t.Fatal(err)
	}
	for i := range children {
		if children[i].Kind == kind {
			rendered, err := children[i].Unstructured()
			if err != nil {
				t.Fatal(err)
			}
			return &children[i], rendered
		}
	}
	t.Fatalf("no %s", kind)
	return nil, nil
}
