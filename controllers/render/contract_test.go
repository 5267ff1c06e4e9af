package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	contractjson "github.com/go-json-experiment/json" // as config.Encode writes it
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/program"
)

func TestContract(t *testing.T) {
	for _, name := range []string{"minimal", "full", everyField} {
		t.Run(name, func(t *testing.T) {
			encoded := document(t, service(t, name)).Encoded
			if _, err := program.Load(encoded); err != nil {
				t.Errorf("a gateway refuses it: %v", err)
			}
			golden(t, name+".config.json", indented(t, encoded))
		})
	}
}

// indented has a member on each line, so that changes of two fields do not conflict.
func indented(t *testing.T, encoded []byte) []byte {
	t.Helper()
	var lines bytes.Buffer
	if err := json.Indent(&lines, encoded, "", " "); err != nil {
		t.Fatal(err)
	}
	return append(lines.Bytes(), '\n')
}

// An error's path must name the field of the service, so each member's path is also one in the spec, with the same
// value: durations may be written differently.
func TestContractKeepsPaths(t *testing.T) {
	for _, name := range []string{"full", everyField} {
		s := service(t, name)
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
}

// What gateways serve is in the contract whole: a field that is not would be accepted and do nothing.
func TestContractHasEveryField(t *testing.T) {
	s := service(t, everyField)
	inContract := map[string]bool{}
	for path := range leaves(t, must(render.Contract(s))) {
		inContract[specPath(path)] = true
	}
	served := regexp.MustCompile(`^(upstreams|models|functions|routes)\[`)
	// Its union's member says the same.
	discriminator := regexp.MustCompile(`^upstreams\[\d+\]\.(auth\.)?type$|\.onError\.type$`)
	for path, value := range leaves(t, s.Spec) {
		zero := value == nil || reflect.ValueOf(value).IsZero() // where the two mean the same, it is left out
		if served.MatchString(path) && !discriminator.MatchString(path) && !zero && !inContract[path] {
			t.Errorf("the spec has %s, and the contract does not", path)
		}
	}
}

func TestContractOfOnError(t *testing.T) {
	const step = `{"name":"s","onError":%s,"set":{"value":1}}`
	for from, want := range map[string]string{
		`{"type":"Continue"}`:                                       `{"continue":{}}`,
		`{"type":"Value","value":{"a":null}}`:                       `{"value":{"a":null}}`,
		`{"type":"Value","value":{}}`:                               `{"value":{}}`,
		`{"type":"Value","value":""}`:                               `{"value":""}`,
		`{"type":"Value","value":false}`:                            `{"value":false}`,
		`{"type":"Respond","respond":{"status":503,"body":"none"}}`: `{"respond":{"status":503,"body":"none"}}`,
		// The API server does not see value: that it stands alone is for Validate, which must get to see it.
		`{"type":"Value"}`:              `{}`,
		`{"type":"Continue","value":1}`: `{"continue":{},"value":1}`,
	} {
		var s v1alpha1.LLMService
		s.Spec.Routes = []v1alpha1.Route{{Timeout: "1s", Steps: make([]v1alpha1.Step, 1)}}
		if err := json.Unmarshal(fmt.Appendf(nil, step, from), &s.Spec.Routes[0].Steps[0]); err != nil {
			t.Fatal(err)
		}
		got, err := contractjson.Marshal(must(render.Contract(&s)).Routes[0].Steps[0].OnError)
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v, want %s", from, got, err, want)
		}
		s.Spec.Routes = nil
		s.Spec.Functions = []v1alpha1.Function{{Steps: make([]v1alpha1.FunctionStep, 1)}}
		if err := json.Unmarshal(fmt.Appendf(nil, step, from), &s.Spec.Functions[0].Steps[0]); err != nil {
			t.Fatal(err)
		}
		if got, err = contractjson.Marshal(must(render.Contract(&s)).Functions[0].Steps[0].OnError); err != nil || string(got) != want {
			t.Errorf("in a function %s became %s, %v, want %s", from, got, err, want)
		}
	}
}

// A key's members are named for a file in the contract, and for a reference in the spec.
func specPath(path string) string {
	path = strings.Replace(path, ".secretKeyRef.secret", ".secretKeyRef.name", 1)
	path = strings.Replace(path, ".bearer.secret", ".bearer.secretKeyRef.name", 1)
	return strings.Replace(path, ".bearer.key", ".bearer.secretKeyRef.key", 1)
}

func sameValue(a, b any) bool {
	if cmp.Equal(a, b) {
		return true
	}
	x, errX := time.ParseDuration(fmt.Sprint(a))
	y, errY := time.ParseDuration(fmt.Sprint(b))
	if errX == nil && errY == nil && x == y {
		return true
	}
	text, isText := b.(string)
	quantity, err := resource.ParseQuantity(text)
	return isText && err == nil && cmp.Equal(a, float64(quantity.Value()))
}

func TestContractNamesTheField(t *testing.T) {
	tests := map[string]func(*v1alpha1.LLMService){
		"spec.upstreams[1].timeouts.idle":    func(s *v1alpha1.LLMService) { s.Spec.Upstreams[1].Timeouts.Idle = "" },
		"spec.routes[1].timeout":             func(s *v1alpha1.LLMService) { s.Spec.Routes[1].Timeout = "soon" },
		"spec.routes[0].response.keepAlive":  func(s *v1alpha1.LLMService) { s.Spec.Routes[0].Response.KeepAlive = "soon" },
		"spec.routes[0].steps[0].timeout":    func(s *v1alpha1.LLMService) { s.Spec.Routes[0].Steps[0].Timeout = "soon" },
		"spec.functions[0].timeout":          func(s *v1alpha1.LLMService) { s.Spec.Functions[0].Timeout = "soon" },
		"spec.functions[0].steps[0].timeout": func(s *v1alpha1.LLMService) { s.Spec.Functions[0].Steps[0].Timeout = "soon" },
		"spec.routes[2].steps[5].gather.branches[1].timeout": func(s *v1alpha1.LLMService) {
			s.Spec.Routes[2].Steps[5].Gather.Branches[1].Timeout = "soon"
		},
		"spec.routes[2].steps[6].gather.first.hedgeDelay": func(s *v1alpha1.LLMService) {
			s.Spec.Routes[2].Steps[6].Gather.First.HedgeDelay = "soon"
		},
		"spec.routes[2].steps[7].gather.fallback.firstToken": func(s *v1alpha1.LLMService) {
			s.Spec.Routes[2].Steps[7].Gather.Fallback.FirstToken = "soon"
		},
		"spec.routes[2].steps[9].forEach.do.timeout": func(s *v1alpha1.LLMService) {
			s.Spec.Routes[2].Steps[9].ForEach.Do.Timeout = "soon"
		},
	}
	for path, spoil := range tests {
		t.Run(path, func(t *testing.T) {
			s := service(t, everyField)
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
