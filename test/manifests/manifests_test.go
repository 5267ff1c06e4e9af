package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

const root = "../.."

// Both faces install the same: whoever moves from one to the other changes nothing but labels.
func TestChartEqualsKustomize(t *testing.T) {
	equal(t, chart(t), kustomize(t, "config/default"))
	equal(t, chart(t, "webhook.enabled=true"), kustomize(t, "config/webhook"))
}

func equal(t *testing.T, fromChart, fromKustomize objects) {
	t.Helper()
	delete(fromKustomize, "Namespace/llmservice-system") // helm install --create-namespace makes it
	for id, want := range fromKustomize {
		if got, found := fromChart[id]; !found {
			t.Errorf("the chart lacks %s", id)
		} else if diff := cmp.Diff(substance(want), substance(got)); diff != "" {
			t.Errorf("%s differs (- kustomize, + chart):\n%s", id, diff)
		}
	}
	for id := range fromChart {
		if _, found := fromKustomize[id]; !found {
			t.Errorf("kustomize lacks %s", id)
		}
	}
}

func TestCRDOutlivesTheChart(t *testing.T) {
	const id = "CustomResourceDefinition/llmservices.serving.llmservice.dev"
	crd, found := chart(t)[id]
	if !found {
		t.Fatal("the chart has no CustomResourceDefinition")
	}
	if got := crd.GetAnnotations()["helm.sh/resource-policy"]; got != "keep" {
		t.Errorf("its resource policy is %q, want keep: uninstalling would delete every LLMService", got)
	}
	if _, found := chart(t, "crds.install=false")[id]; found {
		t.Error("crds.install=false installs it")
	}
}

// Where another adapter serves custom.metrics.k8s.io, nothing of ours is in its way.
func TestMetricsAPICanStayOut(t *testing.T) {
	for id, object := range chart(t, "metricsAPI.enabled=false") {
		if strings.Contains(id, "metrics") || object.GetKind() == "APIService" {
			t.Errorf("metricsAPI.enabled=false renders %s", id)
		}
		if id == "Deployment/llmservice-system/llmservice-manager" {
			if args := managerArgs(t, object); !slices.Contains(args, "--custom-metrics-port=0") {
				t.Errorf("the manager is told %v", args)
			}
		}
	}
}

func TestImages(t *testing.T) {
	manager := chart(t, "manager.image.repository=example.com/m", "manager.image.tag=v1",
		"gateway.image.repository=example.com/g", "gateway.image.tag=v2")["Deployment/llmservice-system/llmservice-manager"]
	if args := managerArgs(t, manager); !slices.Contains(args, "--gateway-image=example.com/g:v2") {
		t.Errorf("the manager is told %v", args)
	}
	if got := managerContainer(t, manager)["image"]; got != "example.com/m:v1" {
		t.Errorf("the manager runs %v", got)
	}
}

// Both images come from one registry, however their own repositories name one.
func TestImageRegistry(t *testing.T) {
	for repository, want := range map[string]string{
		"ghcr.io/llmservice/manager": "mirror.example.com:5000/all/llmservice/manager:v1",
		"localhost/manager":          "mirror.example.com:5000/all/manager:v1",
		"registry:5000/a/manager":    "mirror.example.com:5000/all/a/manager:v1",
		"library/manager":            "mirror.example.com:5000/all/library/manager:v1",
	} {
		manager := chart(t, "imageRegistry=mirror.example.com:5000/all", "manager.image.repository="+repository, "manager.image.tag=v1",
			"gateway.image.tag=v1")["Deployment/llmservice-system/llmservice-manager"]
		if got := managerContainer(t, manager)["image"]; got != want {
			t.Errorf("%s: the manager runs %v, want %s", repository, got, want)
		}
		if args := managerArgs(t, manager); !slices.Contains(args, "--gateway-image=mirror.example.com:5000/all/llmservice/gateway:v1") {
			t.Errorf("the manager is told %v", args)
		}
	}
}

// What a cluster may ask of the manager's pods is in them, and ports are the same wherever they stand.
func TestValuesOfTheManager(t *testing.T) {
	found := chart(t, "manager.hostNetwork=true", "manager.ports.metrics=18080", "manager.ports.health=18081", "metricsAPI.port=16443",
		"manager.extraArgs={--allowed-gateway-image=mirror/more}", "manager.extraEnv[0].name=GODEBUG", "manager.extraEnv[0].value=netdns=go",
		"manager.podSecurityContext.runAsUser=null", "manager.podSecurityContext.runAsGroup=null", "manager.securityContext.privileged=false")
	deployment := found["Deployment/llmservice-system/llmservice-manager"]
	text, err := deployment.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"hostNetwork":true`, `"dnsPolicy":"ClusterFirstWithHostNet"`, `"maxSurge":0`, `"maxUnavailable":1`,
		`"--metrics-bind-address=:18080"`, `"--health-probe-bind-address=:18081"`, `"--custom-metrics-port=16443"`,
		`"containerPort":18080`, `"containerPort":18081`, `"containerPort":16443`,
		`"--allowed-gateway-image=mirror/more"`, `{"name":"GODEBUG","value":"netdns=go"}`, `"runAsNonRoot":true`, `"privileged":false`,
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the Deployment lacks %s", want)
		}
	}
	for _, stays := range []string{"runAsUser", "runAsGroup"} {
		if bytes.Contains(text, []byte(stays)) {
			t.Errorf("the Deployment has %s", stays)
		}
	}
}

// The operator may write its own webhook's configuration and no other, and nothing of the webhook is there unless it is asked for.
func TestTheWebhookIsOfItsRelease(t *testing.T) {
	for id, object := range chart(t) {
		text, err := object.MarshalJSON()
		if err != nil || strings.Contains(id, "webhook") || object.GetKind() == "Deployment" && bytes.Contains(text, []byte("webhook")) {
			t.Errorf("without the webhook there is %s (%v)", id, err)
		}
	}
	found := chart(t, "webhook.enabled=true", "fullnameOverride=mine")
	for id, want := range map[string]string{
		"ClusterRole/mine-webhook":                    `"resourceNames":["mine-webhook"],"resources":["validatingwebhookconfigurations"],"verbs":["get","update"]`,
		"ValidatingWebhookConfiguration/mine-webhook": `"service":{"name":"mine-webhook","namespace":"llmservice-system","path":"/validate","port":443}`,
		"Deployment/llmservice-system/mine-manager":   `"--webhook-service=mine-webhook"`,
		"Service/llmservice-system/mine-webhook":      `"targetPort":"webhook"`,
	} {
		if found[id] == nil {
			t.Errorf("there is no %s", id)
			continue
		}
		if text, err := found[id].MarshalJSON(); err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s lacks %s: %s (%v)", id, want, text, err)
		}
	}
}

// The policy names the manager of its own release, and can stay out.
func TestPodPolicyIsOfItsRelease(t *testing.T) {
	text, err := chart(t, "fullnameOverride=mine")["ValidatingAdmissionPolicy/mine-manager-pods"].MarshalJSON()
	if err != nil || !bytes.Contains(text, []byte("system:serviceaccount:llmservice-system:mine-manager'")) {
		t.Errorf("the policy is %s (%v)", text, err)
	}
	for id := range chart(t, "rbac.limitPodPatches=false") {
		if strings.HasPrefix(id, "ValidatingAdmissionPolicy") {
			t.Errorf("rbac.limitPodPatches=false renders %s", id)
		}
	}
}

// A misspelt value is refused wherever it stands, and so is one of another form. Objects of Kubernetes are the API server's to judge.
func TestUnknownValueIsRefused(t *testing.T) {
	var values map[string]any
	text, err := os.ReadFile(filepath.Join(root, "charts/llmservice/values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sigsyaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	// Free maps, and objects that go into a pod or an object as they are.
	free := []string{
		"prometheus.labels", "dashboards.labels", "dashboards.annotations", "serviceAccount.annotations", "webhook.namespaceSelector",
		"webhook.objectSelector", "manager.resources", "manager.podSecurityContext", "manager.securityContext", "manager.podAnnotations",
		"manager.podLabels", "manager.nodeSelector", "manager.affinity",
	}
	tried := 0
	var walk func(path string, value any)
	walk = func(path string, value any) {
		members, isMap := value.(map[string]any)
		if !isMap || slices.Contains(free, path) {
			return
		}
		tried++
		mistake := strings.TrimPrefix(path+".mispelt", ".")
		if message := refusal(t, mistake+"=true"); !strings.Contains(message, "mispelt") {
			t.Errorf("%s: got %s", mistake, message)
		}
		for name, member := range members {
			walk(strings.TrimPrefix(path+"."+name, "."), member)
		}
	}
	walk("", values)
	if tried < 12 {
		t.Errorf("%d places were tried", tried)
	}
	for set, want := range map[string]string{
		"manager.replicas=many":                               "replicas",
		"networkPolicy.apiServer.networks={10.0.0.1}":         "networks",
		"networkPolicy.apiServer.ports={0}":                   "ports",
		"dashboards.namespace=Grafana":                        "namespace",
		"networkPolicy.enabled=true,manager.hostNetwork=true": "networkPolicy.enabled has no effect with manager.hostNetwork",
		"webhook.failurePolicy=Never":                         "failurePolicy",
		"gateway.image.tag=a:b":                               "tag",
	} {
		if message := refusal(t, set); !strings.Contains(message, want) {
			t.Errorf("%s: got %s", set, message)
		}
	}
}

// refusal is what Helm says of a value that it is to refuse.
func refusal(t *testing.T, set string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program(t, "helm"), "template", filepath.Join(root, "charts/llmservice"), "--set", set)
	output, err := command.CombinedOutput()
	if err == nil {
		t.Errorf("%s is accepted", set)
	}
	return string(output)
}

// The operator may neither read Secrets nor give itself rights, and no role has a wildcard.
func TestRolesAreLeast(t *testing.T) {
	for name, installed := range map[string]objects{
		"kustomize": kustomize(t, "config/webhook"),
		"chart":     chart(t, "webhook.enabled=true", "manager.secureMetrics=true"),
		"chart for some namespaces": chart(t,
			"watchNamespaces={team-a,team-b}", "metricsAPI.enabled=true", "webhook.enabled=true", "manager.secureMetrics=true"),
	} {
		roles := 0
		for id, object := range installed {
			if !strings.HasSuffix(object.GetKind(), "Role") {
				continue
			}
			roles++
			var role rbacv1.ClusterRole
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
				t.Fatal(err)
			}
			for _, rule := range role.Rules {
				all := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs)
				for _, forbidden := range []string{"*", "secrets", "bind", "escalate", "impersonate", "nodes/proxy", "pods/exec"} {
					if slices.Contains(all, forbidden) {
						t.Errorf("%s: %s has %s in %v", name, id, forbidden, rule)
					}
				}
			}
		}
		if roles < 4 {
			t.Errorf("%s: there are %d roles: the test tests nothing", name, roles)
		}
	}
}

// The chart refuses clusters that docs/install.md excludes, and has no other kinds outside of its namespace than the page names.
func TestWhatTheChartNeedsOfACluster(t *testing.T) {
	for version, accepted := range map[string]bool{"v1.33.9": false, "v1.34.0": true, "v1.37.2": true} {
		command := exec.CommandContext(t.Context(), program(t, "helm"), "template", filepath.Join(root, "charts/llmservice"), "--kube-version", version)
		if output, err := command.CombinedOutput(); (err == nil) != accepted {
			t.Errorf("Kubernetes %s: %v: %s", version, err, output)
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "Kubernetes 1.34 or later") {
		t.Error("docs/install.md names another version")
	}
	outside := map[string]bool{}
	for _, object := range chart(t) {
		if object.GetNamespace() != "llmservice-system" {
			outside[strings.TrimSpace(object.GetNamespace()+" "+strings.TrimSuffix(object.GetKind(), "Binding"))] = true
		}
	}
	want := map[string]bool{
		"CustomResourceDefinition": true, "ClusterRole": true, "APIService": true, "kube-system Role": true,
		"ValidatingAdmissionPolicy": true,
	}
	if diff := cmp.Diff(want, outside); diff != "" {
		t.Errorf("outside of its namespace (-want +got):\n%s", diff)
	}
}

// Two managers, and a budget that leaves one of them: the API that they serve must not go away.
// With watchNamespaces, the chart can do without any object of the cluster, and without any of a namespace that is neither its own nor
// watched.
func TestAChartForSomeNamespaces(t *testing.T) {
	watched := "watchNamespaces={team-a,llmservice-system}"
	kinds := map[string]int{}
	places := map[string]bool{"team-a": true, "llmservice-system": true}
	for id, object := range chart(t, watched, "claimNamespace=llmservice-system", "crds.install=false", "rbac.userRoles=false", "rbac.limitPodPatches=false") {
		kinds[object.GetKind()]++
		if !places[object.GetNamespace()] {
			t.Errorf("%s is in %q", id, object.GetNamespace())
		}
	}
	if kinds["Role"] != 4 || kinds["RoleBinding"] != 4 { // services twice, the manager's own, and the claim
		t.Errorf("kinds: %v", kinds)
	}
	monitor, ok := chart(t, watched, "prometheus.podMonitors=true")["PodMonitor/llmservice-system/llmservice-gateways"]
	if !ok {
		t.Fatal("there is no PodMonitor of gateways")
	}
	names, _, err := unstructured.NestedStringSlice(monitor.Object, "spec", "namespaceSelector", "matchNames")
	if diff := cmp.Diff([]string{"team-a", "llmservice-system"}, names); diff != "" || err != nil {
		t.Errorf("the PodMonitor selects other namespaces (-want +got): %v\n%s", err, diff)
	}
	for id, object := range chart(t, watched, "webhook.enabled=true", "webhook.namespaceSelector.matchLabels.llm=yes") {
		if kind := object.GetKind(); kind == "APIService" || strings.HasPrefix(kind, "ClusterRole") && strings.Contains(id, "manager") {
			t.Errorf("%s is there", id)
		}
		if object.GetKind() != "ValidatingWebhookConfiguration" {
			continue
		}
		hooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"matchLabels": map[string]any{"llm": "yes"},
			"matchExpressions": []any{map[string]any{
				"key": "kubernetes.io/metadata.name", "operator": "In", "values": []any{"team-a", "llmservice-system"},
			}},
		}
		if diff := cmp.Diff(want, hooks[0].(map[string]any)["namespaceSelector"]); diff != "" {
			t.Errorf("the webhook checks other namespaces (-want +got):\n%s", diff)
		}
	}
	if with := chart(t, watched, "metricsAPI.enabled=true"); len(with) == len(chart(t, watched)) {
		t.Error("metricsAPI.enabled=true makes no difference")
	}
}

func TestManagersAreTwo(t *testing.T) {
	found := chart(t)
	replicas, _, err := unstructured.NestedFieldNoCopy(found["Deployment/llmservice-system/llmservice-manager"].Object, "spec", "replicas")
	if err != nil || fmt.Sprint(replicas) != "2" {
		t.Errorf("%v managers: %v", replicas, err)
	}
	budget := found["PodDisruptionBudget/llmservice-system/llmservice-manager"]
	if budget == nil {
		t.Fatal("there is no PodDisruptionBudget")
	}
	if most, _, _ := unstructured.NestedFieldNoCopy(budget.Object, "spec", "maxUnavailable"); fmt.Sprint(most) != "1" {
		t.Errorf("%v managers may be evicted at once", most)
	}
}

type objects map[string]*unstructured.Unstructured

func chart(t *testing.T, settings ...string) objects {
	t.Helper()
	args := []string{"template", "llmservice", filepath.Join(root, "charts/llmservice"), "--namespace", "llmservice-system"}
	for _, set := range settings {
		args = append(args, "--set", set)
	}
	return decode(t, run(t, program(t, "helm"), args...))
}

func kustomize(t *testing.T, directory string) objects {
	t.Helper()
	return decode(t, run(t, program(t, "kubectl"), "kustomize", filepath.Join(root, directory)))
}

// program finds a program where KUBEBUILDER_ASSETS says, or else where test/cluster builds it, or else in PATH.
func program(t *testing.T, name string) string {
	t.Helper()
	places := []string{filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), name)}
	if cache, err := os.UserCacheDir(); err == nil {
		built, err := filepath.Glob(filepath.Join(cache, "llmservice", "k8s-*", name))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, built...)
	}
	for _, place := range places {
		if _, err := os.Stat(place); err == nil {
			return place
		}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("no %s in %v, nor in PATH: make deps builds it", name, places)
	}
	return found
}

func run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", filepath.Base(program), args, err, stderr.Bytes())
	}
	return output
}

func decode(t *testing.T, documents []byte) objects {
	t.Helper()
	found := objects{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(documents), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) == 0 {
			continue
		}
		id := strings.Join(slices.DeleteFunc([]string{object.GetKind(), object.GetNamespace(), object.GetName()},
			func(s string) bool { return s == "" }), "/")
		if _, twice := found[id]; twice {
			t.Errorf("%s is there twice", id)
		}
		found[id] = object
	}
}

// substance leaves out how an object was installed.
func substance(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	labels := object.GetLabels()
	for label := range labels {
		if strings.HasPrefix(label, "app.kubernetes.io/") || strings.HasPrefix(label, "helm.sh/") {
			delete(labels, label)
		}
	}
	object.SetLabels(labels)
	annotations := object.GetAnnotations()
	delete(annotations, "helm.sh/resource-policy")
	object.SetAnnotations(annotations)
	return object.Object
}

func managerContainer(t *testing.T, deployment *unstructured.Unstructured) map[string]any {
	t.Helper()
	containers, found, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || !found {
		t.Fatalf("the manager's Deployment has no containers: %v", err)
	}
	return containers[0].(map[string]any)
}

func managerArgs(t *testing.T, deployment *unstructured.Unstructured) []string {
	t.Helper()
	args, found, err := unstructured.NestedStringSlice(managerContainer(t, deployment), "args")
	if err != nil || !found {
		t.Fatalf("the manager has no arguments: %v", err)
	}
	return args
}
