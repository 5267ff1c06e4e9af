package render_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

func TestContract(t *testing.T) {
	for _, name := range []string{"minimal", "full"} {
		t.Run(name, func(t *testing.T) {
			encoded := document(t, service(t, name)).Encoded
			if _, err := config.Load(encoded); err != nil {
				t.Errorf("a gateway refuses it: %v", err)
			}
			golden(t, name+".config.json", append(encoded, '\n'))
		})
	}
}

// An error's path must name the field of the service, so each member's path is also one in the spec, with the same
// value: durations may be written differently.
func TestContractKeepsPaths(t *testing.T) {
	s := service(t, "full")
	spec, contract := leaves(t, s.Spec), leaves(t, must(render.Contract(s)))
	for path, value := range contract {
		if path == "version" || strings.HasPrefix(path, "service.") {
			continue
		}
		inSpec, found := spec[specPath(path)]
		if !found {
			t.Errorf("the contract has %s, and the spec does not", path)
		} else if !sameValue(value, inSpec) {
			t.Errorf("%s is %v in the contract and %v in the spec", path, value, inSpec)
		}
	}
}

// A bearer key's members are named for a file in the contract, and for a reference in the spec.
func specPath(path string) string {
	path = strings.Replace(path, ".bearer.secret", ".bearer.secretKeyRef.name", 1)
	return strings.Replace(path, ".bearer.key", ".bearer.secretKeyRef.key", 1)
}

func sameValue(a, b any) bool {
	if cmp.Equal(a, b) {
		return true
	}
	x, errX := time.ParseDuration(fmt.Sprint(a))
	y, errY := time.ParseDuration(fmt.Sprint(b))
	return errX == nil && errY == nil && x == y
}

func TestContractNamesTheField(t *testing.T) {
	tests := map[string]func(*v1alpha1.LLMService){
		"spec.upstreams[1].timeouts.idle": func(s *v1alpha1.LLMService) { s.Spec.Upstreams[1].Timeouts.Idle = "" },
		"spec.routes[1].timeout":          func(s *v1alpha1.LLMService) { s.Spec.Routes[1].Timeout = "soon" },
	}
	for path, spoil := range tests {
		t.Run(path, func(t *testing.T) {
			s := service(t, "full")
			spoil(s)
			if _, err := render.Contract(s); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("got %v, want an error of %s", err, path)
			}
		})
	}
}

// leaves maps the path of every scalar in a value's JSON to the scalar.
func leaves(t *testing.T, of any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	collect(found, "", decoded)
	return found
}

func collect(found map[string]any, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			collect(found, strings.TrimPrefix(path+"."+key, "."), member)
		}
	case []any:
		for i, item := range value {
			collect(found, fmt.Sprintf("%s[%d]", path, i), item)
		}
	default:
		found[path] = value
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
