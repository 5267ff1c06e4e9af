package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/program"
)

const minimal = `apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: assistant}
spec:
  upstreams:
  - {name: fast, type: OpenAI, openAI: {model: m}, endpoints: [{url: http://127.0.0.1:1/v1}]}
  models:
  - {name: assistant, upstreams: [fast]}
`

func TestLoadSetsDefaults(t *testing.T) {
	s, err := Load(t.Context(), []byte("kind: ConfigMap\napiVersion: v1\n---\n"+minimal))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "assistant" || s.Spec.Runtime == nil || s.Spec.Runtime.MaxInFlight != 0 {
		t.Errorf("%+v", s.Spec.Runtime)
	}
	if got := s.Status.ObservedGeneration; got != -1 {
		t.Errorf("observed generation %d, want -1", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ manifest, want string }{
		"an unknown field":     {strings.Replace(minimal, "{name: assistant, ups", "{name: assistant, nope: 1, ups", 1), "8:23: spec.models[0].nope (models[assistant]): is an unknown field, want one of keepAlive, name, route, upstreams, weights"},
		"a rule's break":       {strings.Replace(minimal, "type: OpenAI, openAI: {model: m}, ", "type: OpenAI, ", 1), "6:5: spec.upstreams[0]"},
		"a name given twice":   {minimal + "  - {name: assistant, upstreams: [fast]}\n", "9:5: spec.models[1]"},
		"a pattern's break":    {strings.Replace(minimal, "name: fast", "name: FAST", 1), "6:12: spec.upstreams[0].name"},
		"another version":      {strings.Replace(minimal, "v1alpha1", "v9", 1), "1:13: apiVersion: is serving.llmservice.dev/v9, want"},
		"a key given twice":    {minimal + "  replicas: 1\n  replicas: 2\n", "replicas"},
		"a bad name":           {strings.Replace(minimal, "assistant}", "Assistant_1}", 1), `3:18: metadata.name: "Assistant_1" is not valid, want a letter, then lowercase letters`},
		"a longer name":        {strings.Replace(minimal, "assistant}", strings.Repeat("a", 51)+"}", 1), `3:18: metadata.name: "` + strings.Repeat("a", 51) + `" is not valid: must be a DNS label`},
		"no name":              {strings.Replace(minimal, "{name: assistant}", "{}", 1), "3:1: metadata.name: is required"},
		"no metadata":          {strings.Replace(minimal, "metadata: {name: assistant}\n", "", 1), "metadata.name: is required"},
		"a label's misprint":   {strings.Replace(minimal, "assistant}", "assistant, lables: {a: b}}", 1), "3:29: metadata.lables: is an unknown field, did you mean labels?"},
		"a label's value":      {strings.Replace(minimal, "assistant}", "assistant, labels: {a: b c}}", 1), `metadata.labels: "b c" is not valid`},
		"a label of no text":   {strings.Replace(minimal, "assistant}", "assistant, labels: {a: 1}}", 1), "metadata.labels: has a value of type number, want string in quotes"},
		"labels in a list":     {strings.Replace(minimal, "assistant}", "assistant, labels: [a]}", 1), "metadata.labels: has a value of type array, want object"},
		"a text for a count":   {strings.Replace(minimal, "assistant}", "assistant, generation: x}", 1), "metadata.generation: has a value of type string, want integer"},
		"a text for an object": {strings.Replace(minimal, "{name: assistant}", "assistant", 1), "metadata: has a value of type string, want object"},
		"a list":               {"kind: List\napiVersion: v1\nitems: []\n", "1:7: kind: a list is not read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(t.Context(), []byte(tt.manifest))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "nil") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Load(t.Context(), []byte("kind: Other\n")); !errors.Is(err, ErrNone) {
		t.Errorf("error %v, want ErrNone", err)
	}
}

// What the samples promise must be what gateways accept.
func TestSamplesAreServable(t *testing.T) {
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	served := 0
	for _, sample := range samples {
		raw, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Load(t.Context(), raw)
		if errors.Is(err, ErrNone) {
			continue // kustomization.yaml
		}
		if err != nil {
			t.Errorf("%s: %v", sample, err)
			continue
		}
		contract, err := render.Contract(s)
		if err != nil {
			t.Errorf("%s: %v", sample, err)
			continue
		}
		if errs := program.Validate(contract); len(errs) > 0 {
			t.Errorf("%s: %v", sample, errs)
		}
		served++
	}
	if served == 0 {
		t.Error("there is no sample")
	}
}
