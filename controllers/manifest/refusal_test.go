package manifest

import (
	"regexp"
	"strings"
	"testing"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// TestEachPatternHasWords: nobody has to read a pattern, and each example is one that its pattern matches.
func TestEachPatternHasWords(t *testing.T) {
	definition, err := loadDefinition()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	spec := definition.structural.Properties["spec"]
	walkSchema(&spec, func(s *structuralschema.Structural) {
		if s.ValueValidation == nil || s.ValueValidation.Pattern == "" {
			return
		}
		pattern := s.ValueValidation.Pattern
		used[pattern] = true
		_, example, found := strings.Cut(forms[pattern], "such as ")
		if !found {
			t.Errorf("%s: forms in refusal.go has no words with an example, but %q", pattern, forms[pattern])
			return
		}
		for _, one := range regexp.MustCompile(`, | or `).Split(example, -1) {
			if !regexp.MustCompile(pattern).MatchString(strings.Trim(one, `"`)) {
				t.Errorf("%s does not match the example %s", pattern, one)
			}
		}
	})
	for pattern := range forms {
		if !used[pattern] {
			t.Errorf("no field has the pattern %s", pattern)
		}
	}
}

func walkSchema(s *structuralschema.Structural, visit func(*structuralschema.Structural)) {
	if s == nil {
		return
	}
	visit(s)
	walkSchema(s.Items, visit)
	if s.AdditionalProperties != nil {
		walkSchema(s.AdditionalProperties.Structural, visit)
	}
	for _, property := range s.Properties {
		walkSchema(&property, visit)
	}
}

// TestRefusals are the words of each kind of refusal.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ old, by, want string }{
		"a duration":         {"  - path: /answer\n", "  - path: /answer\n    timeout: 30\n", "spec.routes[0].timeout (routes[/answer]): 30 is of type integer, want string"},
		"a duration of text": {"  - path: /answer\n", "  - path: /answer\n    timeout: 1d\n", `spec.routes[0].timeout (routes[/answer]): "1d" is not valid, want integers with a unit of h, m, s or ms, such as 300ms, 10s or 1m30s`},
		"one that is long":   {"  - path: /answer\n", "  - path: /answer\n    timeout: 25h\n", `"25h" is not valid: must be longer than 0s and at most 24h`},
		"an enum":            {"type: OpenAI\n", "type: Open\n", `spec.upstreams[0].type (upstreams[fast]): "Open" is not allowed, want one of "OpenAI", "HTTP"`},
		"a number":           {"spec:\n", "spec:\n  replicas: 1001\n", "spec.replicas: 1001 is not valid: should be less than or equal to 1000"},
		"a long text":        {"name: fast", "name: " + strings.Repeat("a", 64), "spec.upstreams[0].name (upstreams[" + strings.Repeat("a", 64) + "]): is too long: may not be more than 63 bytes"},
		"a short list":       {"    endpoints:\n    - url: http://127.0.0.1:1/v1\n", "    endpoints: []\n", "spec.upstreams[0].endpoints (upstreams[fast]): should have at least 1 items"},
		"an object":          {"name: fast", "name: {}", "spec.upstreams[0].name: is of type object, want string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(t.Context(), []byte(strings.Replace(placed, tt.old, tt.by, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "nil") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUnknownFields(t *testing.T) {
	definition, err := loadDefinition()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"metadata.nam":                          "did you mean name?",
		"metadata.spec":                         "want one of annotations, generateName, labels, name, namespace",
		"spec.rotues":                           "did you mean routes?",
		"spec.routes[0].steps[1].chat.upstraem": "did you mean upstream?",
		"spec.upstreams[0].openAI.temperature":  "want one of ",
		"spec.runtime.x":                        "want one of ",
		"wrong":                                 "want one of ",
		"wrong.deeper":                          "is an unknown field",
	} {
		if got := unknownField(definition.structural, path); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", path, got, want)
		}
	}
}
