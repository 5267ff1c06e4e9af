package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

var update = flag.Bool("update", false, "write what is rendered to testdata")

func TestChildren(t *testing.T) {
	tests := []struct {
		name, manifest string
		change         func(*render.Input)
	}{
		{name: "minimal", manifest: "minimal"},
		{name: "full", manifest: "full", change: func(in *render.Input) {
			in.Gateway.PullPolicy, in.Gateway.LogLevel = corev1.PullAlways, "debug"
		}},
		{
			name: "lastgood", manifest: "minimal",
			change: func(in *render.Input) { in.LastGood = document(t, service(t, "full")) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, service(t, tt.manifest))
			if tt.change != nil {
				tt.change(&in)
			}
			golden(t, tt.name+".children.yaml", manifestOf(t, children(t, in)))
		})
	}
}

func TestChildrenAreAppliedInOrder(t *testing.T) {
	var kinds []string
	for _, child := range children(t, input(t, service(t, "minimal"))) {
		kinds = append(kinds, child.Kind)
	}
	want := []string{
		"ServiceAccount", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment", "HorizontalPodAutoscaler",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestUnwantedChildIsNamed(t *testing.T) {
	autoscaler := child(t, input(t, service(t, "minimal")), "HorizontalPodAutoscaler")
	if autoscaler.Apply != nil || autoscaler.Hash != "" {
		t.Errorf("a service without scaling has an autoscaler: %v", autoscaler.Apply)
	}
	if autoscaler.Name != "minimal" || autoscaler.Namespace != "team-a" {
		t.Errorf("the autoscaler to delete is %s", autoscaler.NamespacedName)
	}
	if _, err := autoscaler.Unstructured(); err == nil {
		t.Error("an unwanted child has an object")
	}
}

// What is reloaded in place must not replace a pod.
func TestConfigChangeKeepsPods(t *testing.T) {
	before := input(t, service(t, "full"))
	after := service(t, "full")
	after.Spec.Upstreams[0].Endpoints = []v1alpha1.Endpoint{{URL: "http://elsewhere/v1"}}
	after.Spec.Upstreams[0].Timeouts.Idle = "1s"
	after.Spec.Upstreams[0].Auth.Bearer.SecretKeyRef.Key = "rotated"
	after.Spec.Models[0].Name = "renamed"
	after.Spec.Routes[0].Steps[0].Chat.Messages[0].Content = "Be long."
	after.Spec.Runtime.MaxInFlight = 7
	for _, kind := range []string{"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"} {
		if child(t, before, kind).Hash != child(t, input(t, after), kind).Hash {
			t.Errorf("a change of config changed the %s", kind)
		}
	}
	if child(t, before, "ConfigMap").Hash == child(t, input(t, after), "ConfigMap").Hash {
		t.Error("a change of config did not change the ConfigMap")
	}
}

// The last good config is replaced by the next edit. If its Secrets were mounted, that edit would replace all pods.
func TestLastGoodKeepsPods(t *testing.T) {
	in := input(t, service(t, "minimal"))
	before := template(t, in)
	in.LastGood = document(t, service(t, "full"))
	if diff := cmp.Diff(before, template(t, in)); diff != "" {
		t.Error(diff)
	}
}

// While a spec is refused, everything is rendered as it was before.
func TestAcceptedSpecIsKept(t *testing.T) {
	in := input(t, service(t, everyField))
	want := children(t, in)
	documents, err := child(t, in, "ConfigMap").Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	accepted := render.ReadAccepted(documents.GetAnnotations())
	if accepted == nil {
		t.Fatal("the ConfigMap has no record of what was accepted")
	}
	refused := service(t, "minimal")
	refused.ObjectMeta = in.Service.ObjectMeta
	in.Service = accepted.Over(refused)
	in.Current = render.Document{Encoded: in.Current.Encoded, Secrets: accepted.Secrets}
	if diff := cmp.Diff(string(manifestOf(t, want)), string(manifestOf(t, children(t, in)))); diff != "" {
		t.Errorf("a refused spec changed the children (-want +got):\n%s", diff)
	}
}

func TestReplicasKeepTheTemplate(t *testing.T) {
	in := input(t, service(t, "full"))
	before := template(t, in)
	in.Replicas = 17
	if diff := cmp.Diff(before, template(t, in)); diff != "" {
		t.Error(diff)
	}
}

func TestHashTellsRenderingsApart(t *testing.T) {
	in := input(t, service(t, "full"))
	limited := child(t, in, "Deployment").Hash
	in.Service.Spec.Runtime.Resources = nil
	if child(t, in, "Deployment").Hash == limited {
		t.Error("a field was left out, and the hash is the same")
	}
}

func TestURL(t *testing.T) {
	for name, want := range map[string]string{
		"minimal": "http://minimal.team-a.svc",
		"full":    "http://full.team-a.svc:8000",
	} {
		if got := render.URL(service(t, name)); got != want {
			t.Errorf("URL of %s is %s, want %s", name, got, want)
		}
	}
}

func TestSelector(t *testing.T) {
	want := "app.kubernetes.io/instance=full,app.kubernetes.io/name=llmservice-gateway"
	if got := render.Selector(service(t, "full")).String(); got != want {
		t.Errorf("selector is %s, want %s", got, want)
	}
}

func TestRefusesWhatTheAPIRefuses(t *testing.T) {
	tests := map[string]struct {
		spoil func(*v1alpha1.LLMService)
		want  string
	}{
		"duration": {
			func(s *v1alpha1.LLMService) { s.Spec.Runtime.MaxStreamDuration = "1d" },
			`spec.runtime.maxStreamDuration: duration "1d": must be integers with a unit of h, m, s or ms, such as 300ms or 1m30s`,
		},
		"workers": {
			func(s *v1alpha1.LLMService) { s.Spec.Runtime.Workers.Type, s.Spec.Runtime.Workers.StrVal = 1, "many" },
			`spec.runtime.workers "many": want an integer or Auto`,
		},
		"metric": {
			func(s *v1alpha1.LLMService) { s.Spec.Scaling.Metrics[1].Type = "Memory" },
			`spec.scaling.metrics[1]: type "Memory": want InFlight or CPU`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t, service(t, "full"))
			tt.spoil(in.Service)
			if _, err := render.Children(in); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// everyField is the API suite's service, which has every field: TestSampleHasEveryField there sees to it.
const everyField = "every-field"

func service(t *testing.T, name string) *v1alpha1.LLMService {
	t.Helper()
	return loaded(t, text(t, name))
}

func text(t *testing.T, name string) []byte {
	t.Helper()
	file := filepath.Join("testdata", name+".yaml")
	if name == everyField {
		file = filepath.Join("..", "..", "test", "api", "testdata", name+".yaml")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func loaded(t *testing.T, text []byte) *v1alpha1.LLMService {
	t.Helper()
	s, err := manifest.Load(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func input(t *testing.T, s *v1alpha1.LLMService) render.Input {
	t.Helper()
	return render.Input{
		Service:  s,
		Current:  document(t, s),
		Replicas: *s.Spec.Replicas,
		Gateway:  render.Gateway{Image: "registry.example.com/gateway:v1"},
	}
}

func document(t *testing.T, s *v1alpha1.LLMService) render.Document {
	t.Helper()
	decoded, err := render.Contract(s)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := config.Encode(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return render.NewDocument(encoded, decoded)
}

func children(t *testing.T, in render.Input) []render.Child {
	t.Helper()
	children, err := render.Children(in)
	if err != nil {
		t.Fatal(err)
	}
	return children
}

func child(t *testing.T, in render.Input, kind string) render.Child {
	t.Helper()
	for _, c := range children(t, in) {
		if c.Kind == kind {
			return c
		}
	}
	t.Fatalf("there is no %s", kind)
	return render.Child{}
}

func template(t *testing.T, in render.Input) any {
	t.Helper()
	object, err := child(t, in, "Deployment").Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	return object.Object["spec"].(map[string]any)["template"]
}

// manifestOf writes the wanted children as one YAML document each.
func manifestOf(t *testing.T, children []render.Child) []byte {
	t.Helper()
	var all []byte
	for _, c := range children {
		if c.Apply == nil {
			continue
		}
		object, err := c.Unstructured()
		if err != nil {
			t.Fatal(err)
		}
		document, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, "---\n"...), document...)
	}
	return all
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs from what is rendered (go test -update writes it):\n%s", path, diff)
	}
}
