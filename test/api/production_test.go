package api

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
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
