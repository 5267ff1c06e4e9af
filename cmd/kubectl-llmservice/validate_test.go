package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/runtime/schema"
)

// directory writes files, and returns the directory.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	upstreamOf = "steps: [{name: answer, chat: {upstream: fast"
	other      = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n---\n"
)

// wrong has a mistake of each kind, and one warning of each.
var wrong = other +
	strings.Replace(service, upstreamOf, strings.Replace(upstreamOf, "fast", "slow", 1), 1) + "---\n" +
	strings.Replace(service, "- path: /answer", "- pathe: /answer", 1) + "---\n" +
	strings.Replace(service, "body: {text: \"${steps.answer.text}\"}", "body: {text: ${steps.answer.text}}", 1) + "---\n" +
	strings.Replace(service, "body: {text:", "body: {a: null, b: no, text:", 1) + "---\n" +
	strings.Replace(service, "body: {text:", "body: {no: 1, text:", 1)

func TestValidate(t *testing.T) {
	dir := directory(t, map[string]string{
		"a.yaml": wrong, "b.yml": service, "c.json": `{"kind": "ConfigMap"}`, "d.txt": "[", "below/e.yaml": "kind: [",
	})
	out, errs, err := execute(t, "", "validate", "-f", dir)
	if !errors.Is(err, errFound) {
		t.Fatal(err)
	}
	a := filepath.Join(dir, "a.yaml")
	want := strings.Join([]string{
		a + `:18:45: spec.routes[0].steps[0].chat.upstream (routes[/answer].steps[answer]): there is no upstream "slow", want one of fast`,
		a + `:32:5: spec.routes[0].pathe: is an unknown field, did you mean path?`,
		a + ":32:5: spec.routes[0].path: is required",
		a + `:51:29: not YAML: did not find expected ',' or '}'; a template within braces or brackets needs quotes, as in {text: "${steps.answer.text}"}`,
		a + `:67:23: warning: spec.routes[0].response.body.a (routes[/answer]): is null, which kubectl apply drops without --server-side: write "${null}", which means the same`,
		a + `:67:35: warning: spec.routes[0].response.body.b (routes[/answer]): no is read as the boolean false (YAML 1.1): if a text is meant, quote it, as "no"`,
		a + `:83:23: spec.routes[0].response.body.no (routes[/answer]): the name no is read as a boolean, and becomes "false" (YAML 1.1): quote it, as "no"`,
		"",
	}, "\n")
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if errs != "5 LLMServices, 5 errors, 2 warnings\n" {
		t.Errorf("summary %q", errs)
	}
	if out, _, err := execute(t, "", "validate", "-f", dir, "-R"); !errors.Is(err, errFound) || !strings.Contains(out, filepath.Join("below", "e.yaml")+":1:1: not YAML") {
		t.Errorf("with what is below: %v\n%s", err, out)
	}
}

func TestValidateForPrograms(t *testing.T) {
	out, errs, err := execute(t, wrong, "validate", "-f", "-", "-o", "json")
	if !errors.Is(err, errFound) || errs != "" {
		t.Fatal(err, errs)
	}
	var got checked
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Services != 4 || got.Errors != 5 || got.Warnings != 2 || len(got.Findings) != 7 {
		t.Errorf("%d services, %d errors, %d warnings, %d findings", got.Services, got.Errors, got.Warnings, len(got.Findings))
	}
	want := finding{
		File: "(stdin)", Line: 18, Column: 45, Level: levelError, Rule: ruleGateway, Path: "spec.routes[0].steps[0].chat.upstream",
		Within: "routes[/answer].steps[answer]", Message: `there is no upstream "slow", want one of fast`,
	}
	if diff := cmp.Diff(want, got.Findings[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var rules []manifest.Rule
	for _, f := range got.Findings[1:] {
		rules = append(rules, f.Rule)
	}
	wantRules := []manifest.Rule{manifest.RuleAPI, manifest.RuleAPI, manifest.RuleSyntax, manifest.RuleNull, manifest.RuleWords, manifest.RuleWords}
	if diff := cmp.Diff(wantRules, rules); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestSARIF holds the output to the members that the standard requires, and to no others than it has.
func TestSARIF(t *testing.T) {
	text, err := os.ReadFile("testdata/sarif.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	standard, err := schema.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text    string
		results int
	}{"wrong": {wrong, 7}, "right": {service, 0}} {
		out, _, err := execute(t, tt.text, "validate", "-f", "-", "-o", "sarif")
		if (err != nil) != (tt.results > 0) {
			t.Fatal(err)
		}
		if _, violations, err := standard.Check(t.Context(), []byte(out)); err != nil || len(violations) > 0 {
			t.Errorf("%s: %v, %+v\n%s", name, err, violations, out)
		}
		var log sarifLog
		if err := json.Unmarshal([]byte(out), &log); err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, r := range log.Runs[0].Tool.Driver.Rules {
			known[r.ID] = r.ShortDescription.Text != ""
		}
		if len(log.Runs[0].Results) != tt.results {
			t.Errorf("%s: %d results, want %d", name, len(log.Runs[0].Results), tt.results)
		}
		for _, r := range log.Runs[0].Results {
			if !known[r.RuleID] || r.Locations[0].Physical.Region == nil {
				t.Errorf("%s: %+v has an unknown rule, or no place", name, r)
			}
		}
	}
}

func TestFileURIs(t *testing.T) {
	for path, want := range map[string]string{
		"deploy/a b.yaml": "deploy/a%20b.yaml", "./a.yaml": "a.yaml", "/tmp/a.yaml": "file:///tmp/a.yaml",
	} {
		if got := fileURI(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestValidateAccepts(t *testing.T) {
	doubtful := strings.Replace(service, "body: {text:", "body: {b: no, text:", 1)
	for name, tt := range map[string]struct {
		args  []string
		stdin string
		want  error
	}{
		"a service":            {[]string{"-f", "-"}, service, nil},
		"several files":        {[]string{"-f", "../../config/samples/chat.yaml", "-f", "../../config/samples/rag.yaml"}, "", nil},
		"the samples":          {[]string{"-f", "../../config/samples", "--strict"}, "", nil},
		"a warning":            {[]string{"-f", "-"}, doubtful, nil},
		"a warning, if strict": {[]string{"-f", "-", "--strict"}, doubtful, errFound},
	} {
		if out, errs, err := execute(t, tt.stdin, append([]string{"validate"}, tt.args...)...); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v\n%s%s", name, err, out, errs)
		}
	}
}

func TestValidateFails(t *testing.T) {
	none := directory(t, map[string]string{"a.txt": ""})
	for name, tt := range map[string]struct {
		args  []string
		stdin string
		want  string
	}{
		"no file":               {nil, "", `"filename" not set`},
		"a file that is not":    {[]string{"-f", "none.yaml"}, "", "no such file"},
		"an empty directory":    {[]string{"-f", none}, "", "has no file that ends in .yaml"},
		"no service":            {[]string{"-f", "-"}, other, "-: there is no LLMService"},
		"another output":        {[]string{"-f", "-", "-o", "yaml"}, service, `--output: "yaml", want one of text, json, sarif`},
		"a file beyond measure": {[]string{"-f", "-"}, strings.Repeat("#", maxManifestBytes+1), "has more than 16 MiB"},
	} {
		if out, _, err := execute(t, tt.stdin, append([]string{"validate"}, tt.args...)...); exitCode(err) != exitFailed || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q\n%s", name, err, tt.want, out)
		}
	}
}

// TestWhatTheOperatorRefuses is refused here, too: not only what is wrong, but also what is too much.
func TestWhatTheOperatorRefuses(t *testing.T) {
	var large strings.Builder
	large.WriteString(service)
	for i := range 8 {
		fmt.Fprintf(&large, "  - {path: /large%d, steps: [{name: a, set: {value: %s}}], response: {body: 1}}\n", i, strings.Repeat("x", 60_000))
	}
	for name, tt := range map[string]struct{ text, want string }{
		"a large config": {large.String(), "4:1: spec: the config has 48"},
		"a pod's rights": {service + "  runtime: {podTemplate: {spec: {hostIPC: true}}}\n", "16:43: spec.runtime.podTemplate.spec.hostIPC: "},
	} {
		out, _, err := execute(t, tt.text, "validate", "-f", "-")
		if !errors.Is(err, errFound) || !strings.HasPrefix(out, "(stdin):"+tt.want) {
			t.Errorf("%s: %v\n%.200s", name, err, out)
		}
	}
	text := service + "  runtime: {image: registry.example.com/gateway:v2}\n"
	if out, _, err := execute(t, text, "validate", "-f", "-"); err != nil {
		t.Errorf("an image, which only an operator can judge: %v\n%s", err, out)
	}
}

// TestNullsThatSurvive: the spelling that validate offers means null, in bodies and in schemas, and is not warned of.
func TestNullsThatSurvive(t *testing.T) {
	text := strings.Replace(service, "body: {text:", `body: {a: "${null}", b: [1, "${ null }"], text:`, 1)
	text = strings.Replace(text, "    steps:", `    request: {schema: {type: object, properties: {nick: {type: [string, "null"], default: "${null}"}}}}`+"\n    steps:", 1)
	file := filepath.Join(t.TempDir(), "service.yaml")
	save(t, file, text)
	if out, errs, err := execute(t, "", "validate", "-f", file, "--strict"); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	read, err := load(t.Context(), file, unchanged)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(read.config.Routes[0].Request.Schema); !strings.Contains(got, `"default":null`) {
		t.Errorf("the schema is %s", got)
	}
	if got := string(read.config.Routes[0].Response.Body); !strings.Contains(got, `"a":null,"b":[1,null]`) {
		t.Errorf("the body is %s", got)
	}
}
