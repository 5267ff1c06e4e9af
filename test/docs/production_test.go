package docs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

const production = "docs/production.md"

// foreign are the kinds of the pages that no type of ours knows: of those, only the form is checked.
var foreign = []string{
	"Application.argoproj.io", "BackendTrafficPolicy.gateway.envoyproxy.io", "DestinationRule.networking.istio.io",
	"ExternalSecret.external-secrets.io", "GCPBackendPolicy.networking.gke.io",
	"HealthCheckPolicy.networking.gke.io", "HTTPRoute.gateway.networking.k8s.io", "Kustomization.kustomize.toolkit.fluxcd.io", "VerticalPodAutoscaler.autoscaling.k8s.io",
	"VirtualService.networking.istio.io",
}

// TestOtherManifestsOfThePages: a manifest of another kind than ours has no member that Kubernetes does not know.
func TestOtherManifestsOfThePages(t *testing.T) {
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	seen := 0
	for page, text := range pages(t) {
		for _, f := range fences(text) {
			if f.language != "yaml" || isOurs(f.text) {
				continue
			}
			for document := range strings.SplitSeq(f.text, "\n---\n") {
				seen++
				var object unstructured.Unstructured
				if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
					t.Fatalf("%s: %v\n%s", page, err, document)
				}
				kind := object.GroupVersionKind()
				if _, _, err := strict.Decode([]byte(document), nil, nil); runtime.IsNotRegisteredError(err) {
					if !slices.Contains(foreign, kind.GroupKind().String()) {
						t.Errorf("%s: nothing knows the kind %s", page, kind.GroupKind())
					}
				} else if err != nil {
					t.Errorf("%s: %s: %v", page, kind.Kind, err)
				}
				if object.GetName() == "" {
					t.Errorf("%s: a %s has no name", page, kind.Kind)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d were found: the test looks in the wrong place", seen)
	}
}

// TestSizesOfReplicas compares how many bodies a replica holds at the same time with what its memory lets in.
func TestSizesOfReplicas(t *testing.T) {
	memory := resource.MustParse("512Mi")
	text := func(size int) string { return `{"text": "` + strings.Repeat("a", size-12) + `"}` }
	bodies := map[string]string{}
	bodies["texts of 4 MiB, the default limit of a body"] = text(4 << 20)
	bodies["texts of 256 KiB"] = text(256 << 10)
	bodies["lists of 200,000 small numbers, 391 KiB"] = "[" + strings.Repeat("1,", 200_000-1) + "1]"
	for _, row := range table(t, production, "if clients send", "the replica holds at the same time") {
		a := admission.New(2, memory.Value()/100*90)
		a.SetLimit(0)
		want := fmt.Sprint(a.Limit())
		if body, given := bodies[row[0]]; given {
			want = fmt.Sprint(admitted(t, a, body))
		} else if row[0] != "streamed questions of a few kilobytes" {
			t.Fatalf("nothing is known of %q", row[0])
		}
		if row[1] != want {
			t.Errorf("%s: %s, the page says %s", row[0], want, row[1])
		}
	}
	a := admission.New(2, memory.Value()/100*90)
	a.SetLimit(0)
	if says := fmt.Sprintf("holds %d requests, and has %d MiB for", a.Limit(), a.Bytes.Total()>>20); !strings.Contains(read(t, production), says) {
		t.Errorf("%s does not say %q", production, says)
	}
	for name, factor := range map[string]int{"texts of 4 MiB, the default limit of a body": 2, "lists of 200,000 small numbers, 391 KiB": 26} {
		if got := taken(bodies[name]) / len(bodies[name]); got != factor {
			t.Errorf("%s take %d times their size, want %d", name, got, factor)
		}
		if says := fmt.Sprintf("| %d times its size", factor); !strings.Contains(read(t, production), says) {
			t.Errorf("%s does not say %q", production, says)
		}
	}
}

// taken is what is reserved for a body: for reading it, and then for its values, beyond what reading has left.
func taken(body string) int {
	read := relay.Copies * len(body)
	return max(read, len(body)+schema.DecodedBytes([]byte(body)))
}

// admitted is how many requests get memory for such a body at the same time.
func admitted(t *testing.T, a *admission.Admission, body string) int {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end() // nobody waits
	for n := 0; ; n++ {
		hold := &admission.Hold{}
		if !a.Enter(hold) {
			t.Fatal("the replica is full")
		}
		if hold.Reserve(ended, taken(body)) != nil {
			return n
		}
	}
}
