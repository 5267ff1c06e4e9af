package render_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
)

var update = flag.Bool("update", false, "write what is rendered to testdata")

// TestChildren has a golden file for each kind of child, with what it is for each of the services.
func TestChildren(t *testing.T) {
	services := []struct {
		name, manifest string
		change         func(*render.Input)
	}{
		{name: "minimal", manifest: "minimal"},
		{name: "full", manifest: "full", change: func(in *render.Input) {
			in.Gateway.PullPolicy, in.Gateway.LogLevel = corev1.PullAlways, "debug"
			in.Gateway.Addresses = rules(t, "10.0.0.0/8", "fd00::/8")
			in.Gateway.Proxy = egress.Proxy{Server: "http://10.0.0.9:3128", Except: ".svc"}
			in.Gateway.OperatorNamespace, in.Gateway.MonitoringNamespaces = "llmservice-system", []string{"monitoring"}
		}},
		{
			name: "lastgood", manifest: "minimal",
			change: func(in *render.Input) { in.LastGood = document(t, service(t, "full")) },
		},
	}
	rendered := map[string][]byte{}
	for _, s := range services {
		in := input(t, service(t, s.manifest))
		if s.change != nil {
			s.change(&in)
		}
		for kind, manifest := range byKind(t, children(t, in)) {
			rendered[kind] = fmt.Appendf(rendered[kind], "# %s\n%s", s.name, manifest)
		}
	}
	for _, kind := range render.Kinds() {
		t.Run(kind.Kind, func(t *testing.T) { golden(t, strings.ToLower(kind.Kind)+".golden.yaml", rendered[kind.Kind]) })
	}
}

// rules allow the first of networks, and deny the others.
func rules(t *testing.T, networks ...string) (r addresses.Rules) {
	t.Helper()
	for i, to := range []*addresses.List{&r.Allowed, &r.Denied} {
		if err := to.Set(networks[i]); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestReferenceOfChildren keeps the page that lists them, with the names that they have for a service with all of them.
func TestReferenceOfChildren(t *testing.T) {
	names := map[schema.GroupVersionKind][]string{}
	for _, child := range children(t, input(t, service(t, "full"))) {
		names[child.GroupVersionKind] = append(names[child.GroupVersionKind], "`"+strings.Replace(child.Name, "full", "NAME", 1)+"`")
	}
	page := []byte("# The children of an LLMService\n\nWritten by `go test ./controllers/render -update` from the table of kinds.\n\n" +
		"| kind | name | purpose |\n|---|---|---|\n")
	for _, kind := range render.Kinds() {
		name := kind.Kind
		if kind.Optional {
			name += ", if its CRD is installed"
		}
		page = fmt.Appendf(page, "| %s | %s | %s |\n", name, strings.Join(names[kind.GroupVersionKind], ", "), kind.Purpose)
	}
	golden(t, filepath.Join("..", "..", "..", "docs", "reference", "children.md"), page)
}

// TestRightsToChildren compares the markers above the builders with what is done to the kinds: all are applied, and those that
// some service has not are deleted.
func TestRightsToChildren(t *testing.T) {
	counts := map[schema.GroupVersionKind]int{}
	samples := []string{"minimal", "full", everyField}
	for _, name := range samples {
		for _, child := range children(t, input(t, service(t, name))) {
			counts[child.GroupVersionKind]++
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal([]byte(strings.Split(string(text), "\n---\n")[0]), &role); err != nil {
		t.Fatal(err)
	}
	for _, kind := range render.Kinds() {
		want := []string{"create", "get", "list", "patch", "watch"}
		if counts[kind.GroupVersionKind] != len(samples) {
			want = append(want, "delete")
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, verbsOn(kind.GroupVersionKind, role.Rules)); diff != "" {
			t.Errorf("rights to each %s (-want +got):\n%s", kind.Kind, diff)
		}
	}
}

func verbsOn(kind schema.GroupVersionKind, rules []rbacv1.PolicyRule) []string {
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	var verbs []string
	for _, rule := range rules {
		if slices.Contains(rule.APIGroups, kind.Group) && slices.Contains(rule.Resources, resource.Resource) {
			verbs = append(verbs, rule.Verbs...)
		}
	}
	slices.Sort(verbs)
	return verbs
}

// TestChildrenAreAppliedInOrder: the account and the config come before the pods, and the autoscaler after them.
func TestChildrenAreAppliedInOrder(t *testing.T) {
	var keys []render.ChildKey
	for _, child := range children(t, input(t, service(t, "full"))) {
		keys = append(keys, child.Key())
	}
	at := func(key render.ChildKey) int { return slices.Index(keys, key) }
	pods := at(render.GatewaysKey("full"))
	if at(render.AccountKey("full")) > pods || at(render.DocumentsKey("full")) > pods || at(render.AutoscalerKey("full")) < pods {
		t.Errorf("they are applied in the order %v", keys)
	}
}

// TestTable: each row is of one kind, and all that it builds is of that kind.
func TestTable(t *testing.T) {
	rows := map[schema.GroupVersionKind]bool{}
	for _, kind := range render.Kinds() {
		if rows[kind.GroupVersionKind] {
			t.Errorf("two rows are of %s", kind)
		}
		rows[kind.GroupVersionKind] = true
	}
	for _, child := range children(t, input(t, service(t, everyField))) {
		object, err := child.Unstructured()
		if err != nil {
			t.Fatal(err)
		}
		if object.GroupVersionKind() != child.GroupVersionKind || object.GetName() != child.Name {
			t.Errorf("the row of %s builds %s %s", child.Key(), object.GroupVersionKind(), object.GetName())
		}
	}
}

// TestNamesOfChildren: a child is named after its service, which is how caches tell it from what only looks like one.
func TestNamesOfChildren(t *testing.T) {
	in := input(t, service(t, "minimal"))
	for name, ok := range map[string]bool{"minimal": true, "minimal-canary": true, "minimally": false, "other": false, "": false} {
		account := accorev1.ServiceAccount(name, "team-a")
		table := render.Table{{Build: func(render.Input) ([]render.Child, error) {
			return []render.Child{render.NewChild(account, account.ObjectMetaApplyConfiguration)}, nil
		}}}
		if _, err := table.Children(in); (err == nil) != ok {
			t.Errorf("a child named %q: %v", name, err)
		}
	}
}

func TestUnwantedChildIsNotRendered(t *testing.T) {
	for _, child := range children(t, input(t, service(t, "minimal"))) {
		if child.Key() == render.AutoscalerKey("minimal") {
			t.Errorf("a service without scaling has an autoscaler: %v", child.Apply)
		}
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

// A file of a key is brought by the pod template: it is not one of the operator's volumes, and another path does not replace a pod.
func TestFilesAreNoVolumes(t *testing.T) {
	with := func(auth *v1alpha1.UpstreamAuth) render.Input {
		s := service(t, "minimal")
		s.Spec.Upstreams[0].Auth = auth
		return input(t, s)
	}
	bearer := func(path v1alpha1.FilePath) *v1alpha1.UpstreamAuth {
		return &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{File: &v1alpha1.FileSource{Path: path}}}
	}
	before := template(t, with(nil))
	for _, path := range []v1alpha1.FilePath{"/mnt/one", "/mnt/two"} {
		if diff := cmp.Diff(before, template(t, with(bearer(path)))); diff != "" {
			t.Errorf("%s changes the pods (-without +with):\n%s", path, diff)
		}
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
	in.Current = render.Document{Encoded: in.Current.Encoded}.Recorded(accepted)
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
	change := func(change func(*v1alpha1.HTTPRouteExposure)) *v1alpha1.LLMService {
		s := service(t, "full")
		s.Spec.Exposure.Ingress = nil
		change(s.Spec.Exposure.HTTPRoute)
		return s
	}
	plain := service(t, "full")
	plain.Spec.Exposure.Ingress.TLS = nil
	for _, tt := range []struct {
		name   string
		of     *v1alpha1.LLMService
		routes bool
		want   string
	}{
		{"of the standard port", service(t, "minimal"), true, "http://minimal.team-a.svc"},
		{"of another port", change(func(*v1alpha1.HTTPRouteExposure) {}), false, "http://full.team-a.svc:8000"},
		{"of its Ingress", service(t, "full"), false, "https://chat.example.com"},
		{"of its Ingress without TLS", plain, false, "http://chat.example.com"},
		{"of the first whole hostname", service(t, "full"), true, "https://assistant.example.com"},
		{"of its scheme", change(func(r *v1alpha1.HTTPRouteExposure) { r.Scheme = "http" }), true, "http://assistant.example.com"},
		{"of no whole hostname", change(func(r *v1alpha1.HTTPRouteExposure) { r.Hostnames = []string{"*.example.com"} }), true, "http://full.team-a.svc:8000"},
		{"of no hostname", change(func(r *v1alpha1.HTTPRouteExposure) { r.Hostnames = nil }), true, "http://full.team-a.svc:8000"},
	} {
		if got := render.URL(tt.of, tt.routes); got != tt.want {
			t.Errorf("URL %s is %s, want %s", tt.name, got, tt.want)
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
			if _, err := render.Kinds().Children(in); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// everyField is the API suite's service, which has every field: TestSampleHasEveryField there sees to it.
const everyField = "every-field"

func service(t testing.TB, name string) *v1alpha1.LLMService {
	t.Helper()
	return loaded(t, text(t, name))
}

func text(t testing.TB, name string) []byte {
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

func loaded(t testing.TB, text []byte) *v1alpha1.LLMService {
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
		Gateway:  render.GatewaySettings{Image: "registry.example.com/gateway:v1"},
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
	children, err := render.Kinds().Children(in)
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

// byKind groups the manifests by the kinds of their objects.
func byKind(t *testing.T, children []render.Child) map[string][]byte {
	t.Helper()
	kinds := map[string][]byte{}
	for _, c := range children {
		kinds[c.Kind] = append(kinds[c.Kind], manifestOf(t, []render.Child{c})...)
	}
	return kinds
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
