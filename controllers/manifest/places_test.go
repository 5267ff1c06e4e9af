package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const placed = `# a file with more than one document
apiVersion: v1
kind: ConfigMap
--- # the service
apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: assistant}
spec:
  upstreams:
  - name: fast
    type: OpenAI
    openAI: &model {model: m}
    endpoints:
    - url: http://127.0.0.1:1/v1
  - {name: slow, type: OpenAI, openAI: *model, endpoints: [{url: "http://127.0.0.1:2/v1"}]}
  routes:
  - path: /answer
    request:
      schema: {type: object}
    steps:
    - name: answer
      chat:
        upstream: fast
        messages:
        - {role: user, content: hi}
    response:
      body:
        "a.b": 1
        text: |-
          Answer: ${steps.answer.text}
`

// TestMistakesHaveTheirPlace in the file, whatever found them.
func TestMistakesHaveTheirPlace(t *testing.T) {
	for name, tt := range map[string]struct{ old, by, want string }{
		"no YAML, a colon":            {"upstream: fast", "upstream: fast: no", "23:9: not YAML: "},
		"no YAML, a bracket":          {"[{url:", "[[{url:", "14:5: not YAML: did not find expected"},
		"no YAML, a tab":              {"    steps:\n", "\tsteps:\n", "20:2: not YAML: "},
		"an anchor that is not there": {"*model", "*models", "15:40: not YAML: unknown anchor 'models'"},
		"a template in braces":        {"{role: user, content: hi}", "{role: user, content: ${request.body.text}}", "25:33: not YAML: did not find expected ',' or '}'; a template within braces or brackets needs quotes, as in {text: \"${"},
		"a template in brackets":      {"text: |-\n          Answer: ${steps.answer.text}", "text: [a, ${steps.answer.text}]", "29:19: not YAML: did not find expected ',' or ']'; a template within"},
		"a template with a colon":     {"text: |-\n          Answer: ${steps.answer.text}", "text: ${has(a) ? 1 : 2}", "29:15: not YAML: mapping values are not allowed in this context; a template"},
		"a key given twice":           {"    type: OpenAI\n", "    type: OpenAI\n    type: HTTP\n", "12:5: spec.upstreams[0].type: the key is already used in line 11"},
		"an unknown field":            {"        upstream: fast", "        upstraem: fast", "23:9: spec.routes[0].steps[0].chat.upstraem (routes[/answer].steps[answer]): is an unknown field, did you mean upstream?"},
		"a field that is missing":     {"        upstream: fast\n", "", "22:7: spec.routes[0].steps[0].chat.upstream (routes[/answer].steps[answer]): is required"},
		"a wrong type":                {"content: hi", "content: 7", `25:33: spec.routes[0].steps[0].chat.messages[0].content (routes[/answer].steps[answer]): 7 is of type integer, want string`},
		"a wrong type, of a list":     {"    endpoints:\n    - url: http://127.0.0.1:1/v1", "    endpoints: none", `13:16: spec.upstreams[0].endpoints (upstreams[fast]): "none" is of type string, want array`},
		"a pattern's break":           {"path: /answer", "path: answer", `17:11: spec.routes[0].path (routes[answer]): "answer" is not valid, want a path, such as /answer or /users/{id}`},
		"a rule's break":              {"    type: OpenAI\n", "    type: HTTP\n", "10:5: spec.upstreams[0] (upstreams[fast]): openAI is required when type is OpenAI, and forbidden otherwise"},
		"a name that is null":         {`"a.b"`, "null", "28:9: spec.routes[0].response.body.null: a name cannot be null: quote it"},
		"a name that is a list":       {`"a.b"`, "[a]", "28:9: spec.routes[0].response.body: a name must be a text"},
		"a name given twice":          {"name: slow", "name: fast", `15:5: spec.upstreams[1] (upstreams[fast]): name "fast" is already in the list`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(t.Context(), []byte(strings.Replace(placed, tt.old, tt.by, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if _, ok := errors.AsType[Mistakes](err); !ok {
				t.Errorf("error %T, want Mistakes", err)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	m, err := Read(t.Context(), []byte(placed))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"spec.upstreams[0].name":                            "10:11",
		"spec.upstreams[0].openAI.model":                    "12:28",
		"spec.upstreams[1].openAI.model":                    "12:28", // where the anchor is
		"spec.upstreams[1].endpoints[0].url":                "15:66",
		"spec.routes[0].request.schema":                     "19:7",
		"spec.routes[0].steps[0]":                           "21:7",
		"spec.routes[0].response.body.a.b":                  "28:16",
		`spec.routes[0].response.body["a.b"]`:               "28:16",
		"spec.routes[0].response.body.text":                 "29:15",
		"spec.routes[0].response.body.text.deeper":          "29:9",
		"spec.routes[0].response.schema":                    "26:5",
		"spec.routes[0].steps[7]":                           "20:5",
		"spec.routes[0].steps[0].chat.messages[0].content":  "25:33",
		"spec.routes[0].steps[0].chat.messages[0].contents": "25:11",
	} {
		if got := m.Locate(path, "x"); fmt.Sprintf("%d:%d", got.Line, got.Column) != want || got.Path != path {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
	for path, want := range map[string]bool{"spec.routes[0].path": true, "spec.routes[0].timeout": false, "spec.routes[1].path": false} {
		if got := m.Has(path); got != want {
			t.Errorf("%s is in the file: %v, want %v", path, got, want)
		}
	}
	if got := InFile("service.yaml", Mistakes{m.Locate("spec.routes[0].path", "x"), {Message: "y"}}).Error(); got != "service.yaml:17:11: spec.routes[0].path (routes[/answer]): x\nservice.yaml: y" {
		t.Error(got)
	}
	if got := InFile("service.yaml", ErrNone); !errors.Is(got, ErrNone) || got.Error() != "service.yaml: there is no LLMService" {
		t.Error(got)
	}
}

// TestMergedMembers are found where they are written.
func TestMergedMembers(t *testing.T) {
	d := &document{text: []byte("base: &base\n  a: 1\n  b: 2\nown:\n  <<: *base\n  b: 3\nboth:\n  <<: [*base, {c: 4}]\nround: &round\n  <<: *round\nlist:\n  <<: [[d, 5]]\n")}
	if err := d.read(); err == nil || !strings.Contains(err.Error(), "round") {
		t.Errorf("a merge of itself: %v", err)
	}
	for path, want := range map[string]string{"own.a": "2:6", "own.b": "6:6", "both.c": "8:19", "own.c": "4:1", "round.c": "9:1", "list.d": "11:1"} {
		if got := d.locate(path, "x").Error(); !strings.HasPrefix(got, want+": ") {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
