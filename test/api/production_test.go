package api

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/apiserver"
)

func productionPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "production.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// calling is an LLMService whose upstream has a URL.
func calling(t *testing.T, name, namespace, url string) *unstructured.Unstructured {
	t.Helper()
	object := fromYAML(t, fmt.Appendf(nil, `apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: %s}
spec:
  upstreams: [{name: llm, type: HTTP, http: {}, endpoints: [{url: %q}]}]
`, name, url))
	object.SetNamespace(namespace)
	return object
}

// TestPolicyOfUpstreams: the policy that docs/production.md shows refuses upstreams elsewhere, and no others.
func TestPolicyOfUpstreams(t *testing.T) {
	const namespace = "policy-of-upstreams"
	createNamespace(t, namespace, map[string]string{"policed": "true"})
	shown := regexp.MustCompile("(?s)```yaml\n(apiVersion: admissionregistration.*?)```").FindStringSubmatch(productionPage(t))
	if shown == nil {
		t.Fatal("the page shows no policy")
	}
	for document := range strings.SplitSeq(shown[1], "\n---\n") {
		object := fromYAML(t, []byte(document))
		if object.GetKind() == "ValidatingAdmissionPolicyBinding" { // other tests create other services meanwhile
			only := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"policed": "true"}}}
			if err := unstructured.SetNestedMap(object.Object, only, "spec", "matchResources"); err != nil {
				t.Fatal(err)
			}
		}
		if err := create(t, object); err != nil {
			t.Fatal(err)
		}
	}
	try := func(url string) error {
		return api.Create(t.Context(), calling(t, "tried", namespace, url), client.DryRunAll)
	}
	// The API server learns of a policy a moment after it has been written.
	for deadline := time.Now().Add(time.Minute); try("http://elsewhere.other.svc:80") == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an upstream elsewhere is not refused")
		}
	}
	if err := try("http://elsewhere.other.svc:80"); !strings.Contains(err.Error(), "upstreams must be in the namespace models, or api.openai.com") {
		t.Errorf("refused with %v", err)
	}
	for _, url := range []string{"http://api.openai.com.example.org/v1", "http://10.0.0.1/.models.svc", "http://a.models.svc.example.org"} {
		if try(url) == nil {
			t.Errorf("%s is not refused", url)
		}
	}
	for _, url := range []string{"http://vllm.models.svc:8000/v1", "https://api.openai.com/v1"} {
		if err := try(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestPolicyOfClasses: the policy that docs/production.md shows bounds the services of namespaces with a class, also by the scale
// subresource, and says which field is too large and what is allowed.
func TestPolicyOfClasses(t *testing.T) {
	const namespace, free = "policy-of-classes", "no-class"
	createNamespace(t, namespace, map[string]string{"llmservice.example.com/class": "small"})
	createNamespace(t, free, nil)
	createSystem(t)
	shown := regexp.MustCompile("(?s)### Classes of service.*?```yaml\n(.*?)```").FindStringSubmatch(productionPage(t))
	if shown == nil {
		t.Fatal("the page shows no classes")
	}
	for document := range strings.SplitSeq(shown[1], "\n---\n") {
		object := fromYAML(t, []byte(document))
		if object.GetKind() == "ConfigMap" {
			object.SetNamespace(apiserver.Namespace) // where the page has it
		}
		if err := create(t, object); err != nil {
			t.Fatal(err)
		}
	}
	const fits = "replicas: 4\n  scaling: {maxReplicas: 4, metrics: [{name: streams, type: InFlight, averageValue: 10}]}\n  runtime: {resources: {limits: {memory: 512Mi, cpu: 1}}}"
	try := func(namespace, spec string) error {
		object := calling(t, "tried", namespace, "http://vllm.models.svc:8000/v1")
		maps.Copy(object.Object["spec"].(map[string]any), fromYAML(t, []byte("kind: Spec\nspec:\n  "+spec)).Object["spec"].(map[string]any))
		return api.Create(t.Context(), object, client.DryRunAll)
	}
	large := strings.Replace(fits, "replicas: 4", "replicas: 5", 1)
	// The API server learns of a policy a moment after it has been written.
	for deadline := time.Now().Add(time.Minute); try(namespace, large) == nil || try(namespace, fits) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in time, what fits is refused or what does not fit is not: %v, %v", try(namespace, fits), try(namespace, large))
		}
	}
	const memory, cpu = "runtime.resources.limits.memory must be set, and at most 512Mi", "runtime.resources.limits.cpu must be set, and at most 1 "
	for name, tt := range map[string]struct{ was, is, want string }{
		"replicas":          {"replicas: 4", "replicas: 5", "replicas must be at most 4 in this namespace"},
		"maxReplicas":       {"maxReplicas: 4", "maxReplicas: 5", "scaling.maxReplicas must be at most 4 in this namespace"},
		"memory":            {"512Mi", "513Mi", memory},
		"memory that is G":  {"512Mi", "1G", memory},
		"no memory":         {"memory: 512Mi, ", "", memory},
		"cpu":               {"cpu: 1", "cpu: 1001m", cpu},
		"no limits":         {"limits: {memory: 512Mi, cpu: 1}", "", memory},
		"no runtime at all": {"runtime: {resources: {limits: {memory: 512Mi, cpu: 1}}}", "", memory},
	} {
		t.Run(name, func(t *testing.T) {
			spec := strings.Replace(fits, tt.was, tt.is, 1)
			if err := try(namespace, spec); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err := try(free, spec); err != nil {
				t.Errorf("without a class: %v", err)
			}
		})
	}
	scaled := calling(t, "scaled", namespace, "http://vllm.models.svc:8000/v1")
	maps.Copy(scaled.Object["spec"].(map[string]any), fromYAML(t, []byte("kind: Spec\nspec:\n  "+fits)).Object["spec"].(map[string]any))
	if err := create(t, scaled); err != nil {
		t.Fatal(err)
	}
	for replicas, ok := range map[int32]bool{4: true, 3: true, 5: false} {
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
		err := api.SubResource("scale").Update(t.Context(), scaled.DeepCopy(), client.WithSubResourceBody(scale))
		if (err == nil) != ok {
			t.Errorf("kubectl scale to %d: %v", replicas, err)
		}
	}
}

// TestBackupCanBeRestored: without the members that docs/production.md deletes from a backup, an LLMService can be created again.
func TestBackupCanBeRestored(t *testing.T) {
	page := productionPage(t)
	deleted := regexp.MustCompile(`del\(\.items\[\] \| \.(status), \.metadata\[([^\]]*)\]\)`).FindStringSubmatch(page)
	if deleted == nil {
		t.Fatal("the page deletes nothing from a backup")
	}
	object := calling(t, "saved", "default", "http://vllm.models.svc:8000")
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	saved := minimal(t, "saved")
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), saved); err != nil {
		t.Fatal(err)
	}
	unstructured.RemoveNestedField(saved.Object, deleted[1])
	for name := range strings.SplitSeq(deleted[2], ",") {
		unstructured.RemoveNestedField(saved.Object, "metadata", strings.Trim(name, `"`))
	}
	if left := saved.Object["metadata"].(map[string]any); len(left) != 2 {
		t.Errorf("left of the metadata: %v, want the name and the namespace", left)
	}
	if err := api.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), saved); err != nil {
		t.Errorf("restore: %v", err)
	}
	if saved.GroupVersionKind() != v1alpha1.GroupVersion.WithKind(v1alpha1.Kind) {
		t.Errorf("restored a %s", saved.GroupVersionKind())
	}
}
