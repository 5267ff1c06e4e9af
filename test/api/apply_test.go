package api

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/test/apiserver"
)

// A schema as Pydantic writes an optional field, and nulls wherever else a manifest may have them.
const withNulls = `apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: nulls, annotations: {none: ""}}
spec:
  routes:
  - path: /notes
    timeout: null
    request:
      schema:
        type: object
        properties:
          note: {anyOf: [{type: string}, {type: "null"}, {const: null}], default: null}
          kind: {type: [string, "null"], enum: [a, b, null], default: ~}
    steps:
    - {name: a, set: {value: {a: null, b: [null, {c: }]}}}
    - {name: b, set: {value: "null"}}
    response: {body: {note: "x", none: null, list: [null, 1, {d: Null}]}}
`

// user is somebody with kubectl and one file.
type user struct {
	t    *testing.T
	file string
	key  client.ObjectKey
}

func newUser(t *testing.T, text string) user {
	t.Helper()
	u := user{t: t, file: filepath.Join(t.TempDir(), "service.yaml")}
	u.save(text)
	u.key = client.ObjectKeyFromObject(fromYAML(t, []byte(text)))
	t.Cleanup(func() {
		object := minimal(t, u.key.Name)
		if err := client.IgnoreNotFound(api.Delete(ctxAfter(t), object)); err != nil {
			t.Error(err)
		}
	})
	return u
}

func (u user) save(text string) {
	u.t.Helper()
	if err := os.WriteFile(u.file, []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// kubectl runs it with the file, and returns its status. A difference is no failure of kubectl diff.
func (u user) kubectl(args ...string) int {
	u.t.Helper()
	assets, err := apiserver.Assets()
	if err != nil {
		u.t.Fatal(err)
	}
	kubeconfig := filepath.Join(u.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, kubeConfig, 0o600); err != nil {
		u.t.Fatal(err)
	}
	command := exec.CommandContext(u.t.Context(), filepath.Join(assets, "kubectl"), append(args, "-f", u.file, "--kubeconfig", kubeconfig)...)
	output, err := command.CombinedOutput()
	if status := command.ProcessState.ExitCode(); status == 0 || status == 1 && args[0] == "diff" {
		return status
	}
	u.t.Fatalf("kubectl %v: %v: %s", args, err, output)
	return 0
}

func (u user) stored() *unstructured.Unstructured {
	u.t.Helper()
	object := minimal(u.t, u.key.Name)
	if err := api.Get(u.t.Context(), u.key, object); err != nil {
		u.t.Fatal(err)
	}
	return object
}

// nulls are the paths of members that are null.
func nulls(object *unstructured.Unstructured) []string {
	var found []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(value)) {
				if value[name] == nil {
					found = append(found, path+"."+name)
				}
				walk(path+"."+name, value[name])
			}
		case []any:
			for i, item := range value {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		}
	}
	walk("spec", object.Object["spec"])
	slices.Sort(found)
	return found
}

// kubectl apply leaves out what is null, unless the server applies: then one file is two services. The manifest's reader names
// the members that are lost so, and no others.
func TestClientSideApplyLeavesNullsOut(t *testing.T) {
	u := newUser(t, withNulls)
	read, err := manifest.Read(t.Context(), []byte(withNulls))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, null := range read.Nulls {
		told = append(told, null.Path)
	}
	slices.Sort(told)
	for _, way := range [][]string{{"create"}, {"apply", "--server-side", "--force-conflicts"}, {"replace"}} {
		u.kubectl(way...)
		if diff := cmp.Diff(told, nulls(u.stored())); diff != "" {
			t.Errorf("kubectl %v (-named by the reader +stored):\n%s", way, diff)
		}
	}
	for _, again := range []string{"over what was there", "of a new object"} {
		u.kubectl("apply")
		if got := nulls(u.stored()); len(got) > 0 {
			t.Errorf("kubectl apply %s keeps %v: there is nothing to warn of", again, got)
		}
		u.kubectl("delete")
	}
}

// Somebody who applied on the client's side sees by the server's side what was left out, and has it after one apply that
// takes the fields over.
func TestServerSideApplyFindsWhatWasLeftOut(t *testing.T) {
	u := newUser(t, withNulls)
	u.kubectl("apply")
	if u.kubectl("diff") != 0 {
		t.Error("kubectl diff alone finds it")
	}
	if u.kubectl("diff", "--server-side", "--force-conflicts") != 1 {
		t.Error("kubectl diff --server-side finds nothing")
	}
	u.kubectl("apply", "--server-side", "--force-conflicts")
	if len(nulls(u.stored())) == 0 {
		t.Error("kubectl apply --server-side leaves the nulls out")
	}
}

// A manifest without replicas leaves them alone when it is applied, by either way, and not when it replaces.
func TestAppliesLeaveReplicasAlone(t *testing.T) {
	const without = "apiVersion: serving.llmservice.dev/v1alpha1\nkind: LLMService\nmetadata: {name: applied}\nspec: {exposure: {service: {port: PORT}}}\n"
	port := 8000
	for _, tt := range []struct {
		way  []string
		want int32
	}{
		{[]string{"apply", "--server-side"}, 7}, {[]string{"apply"}, 7}, {[]string{"replace"}, 1},
	} {
		u := newUser(t, strings.ReplaceAll(without, "PORT", "80"))
		u.kubectl("apply", "--server-side")
		u.scale(7)
		port++
		u.save(strings.ReplaceAll(without, "PORT", strconv.Itoa(port)))
		u.kubectl(tt.way...)
		stored := u.stored()
		if got := at(stored, "spec.replicas"); got != int64(tt.want) || at(stored, "spec.exposure.service.port") != int64(port) {
			t.Errorf("kubectl %v: %v replicas, want %d, of %v", tt.way, got, tt.want, at(stored, "spec"))
		}
		u.kubectl("delete")
	}
}

// scale writes the scale subresource, as the HPA controller does.
func (u user) scale(replicas int32) {
	u.t.Helper()
	service, scale := &v1alpha1.LLMService{}, &autoscalingv1.Scale{}
	service.Name, service.Namespace = u.key.Name, u.key.Namespace
	scale.Name, scale.Namespace, scale.Spec.Replicas = u.key.Name, u.key.Namespace, replicas
	if err := api.SubResource("scale").Update(u.t.Context(), service, client.WithSubResourceBody(scale)); err != nil {
		u.t.Fatal(err)
	}
}

// Somebody who takes replicas out of a manifest takes back what was applied, unless the autoscaler has changed it since.
func TestReplicasTakenOutOfAManifest(t *testing.T) {
	const manifest = "apiVersion: serving.llmservice.dev/v1alpha1\nkind: LLMService\nmetadata: {name: taken}\nspec: {REPLICAS}\n"
	for name, tt := range map[string]struct {
		autoscaled bool
		want       int64
	}{
		"nobody else wrote it": {false, 1}, "the autoscaler wrote it since": {true, 7},
	} {
		u := newUser(t, strings.ReplaceAll(manifest, "REPLICAS", "replicas: 5"))
		u.kubectl("apply", "--server-side")
		if tt.autoscaled {
			u.scale(7)
		}
		u.save(strings.ReplaceAll(manifest, "REPLICAS", ""))
		u.kubectl("apply", "--server-side")
		if got := at(u.stored(), "spec.replicas"); got != tt.want {
			t.Errorf("%s: %v replicas, want %d", name, got, tt.want)
		}
		u.kubectl("delete")
	}
}

// Argo CD applies on the server's side as a manager of its own, and compares what such an apply would give with what there is.
func TestArgoCDSeesWhatWasWritten(t *testing.T) {
	const manifest = "apiVersion: serving.llmservice.dev/v1alpha1\nkind: LLMService\nmetadata: {name: argo}\nspec:\n  exposure: {service: {port: PORT}}\n"
	without := strings.ReplaceAll(manifest, "PORT", "80")
	u := newUser(t, without)
	u.argoSyncs()
	u.scale(7)
	observed := u.stored()
	if err := unstructured.SetNestedField(observed.Object, int64(7), "status", "replicas"); err != nil {
		t.Fatal(err)
	}
	if err := api.Status().Update(t.Context(), observed, client.FieldOwner("llmservice-operator")); err != nil {
		t.Fatal(err)
	}
	if diff := u.argoDiff(); diff != "" {
		t.Errorf("what the autoscaler and the operator wrote is a difference (-live +wanted):\n%s", diff)
	}
	u.save(strings.ReplaceAll(manifest, "PORT", "8000"))
	if diff := u.argoDiff(); !strings.Contains(diff, "8000") {
		t.Errorf("another port is no difference: %s", diff)
	}
	u.save(without + "  replicas: 2\n")
	if diff := u.argoDiff(); !strings.Contains(diff, "replicas") {
		t.Errorf("other replicas are no difference: %s", diff)
	}
	u.argoSyncs() // self-heal
	if got := at(u.stored(), "spec.replicas"); got != int64(2) {
		t.Errorf("%v replicas after a sync that has 2", got)
	}
	u.scale(9)
	u.save(without) // ignoreDifferences with RespectIgnoreDifferences has it leave the field out
	u.argoSyncs()
	if got := at(u.stored(), "spec.replicas"); got != int64(9) {
		t.Errorf("%v replicas after a sync that ignores them, want the autoscaler's 9", got)
	}
}

// argoManager is what Argo CD applies as.
const argoManager = "argocd-controller"

func (u user) argoSyncs() {
	u.t.Helper()
	u.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager="+argoManager)
}

// argoDiff compares the service with what a sync would make of it.
func (u user) argoDiff() string {
	u.t.Helper()
	text, err := os.ReadFile(u.file)
	if err != nil {
		u.t.Fatal(err)
	}
	predicted := fromYAML(u.t, text)
	err = api.Apply(u.t.Context(), client.ApplyConfigurationFromUnstructured(predicted), client.FieldOwner(argoManager), client.ForceOwnership, client.DryRunAll)
	if err != nil {
		u.t.Fatal(err)
	}
	live := u.stored()
	for _, object := range []*unstructured.Unstructured{live, predicted} {
		object.SetManagedFields(nil)
		object.SetGeneration(0) // a dry run counts, too
	}
	return cmp.Diff(live.Object, predicted.Object)
}
