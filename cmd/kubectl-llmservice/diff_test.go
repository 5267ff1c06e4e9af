package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/controllers/manifest"
)

// edit replaces the text once.
func edit(t *testing.T, text string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("there is no %q", oldNew[i])
		}
		text = strings.Replace(text, oldNew[i], oldNew[i+1], 1)
	}
	return text
}

func TestDiff(t *testing.T) {
	for name, tt := range map[string]struct {
		old, next string
		want      []string // lines; none if nothing changes
	}{
		"nothing": {service, service, []string{"LLMService default/assistant: changes nothing"}},
		"another order of keys": {
			service, edit(t, service, "type: OpenAI\n    openAI: {model: m}", "openAI: {model: m}\n    type: OpenAI"),
			[]string{"LLMService default/assistant: changes nothing"},
		},
		"a prompt": {service, edit(t, service, "PROMPT", "other"), []string{
			"LLMService default/assistant: reloads in place, and keeps the pods",
			"  ~ ConfigMap assistant-config-v1",
			`      ~ data.current.routes[POST /answer].steps[answer].chat.messages[0].content: "PROMPT" -> "other"`,
		}},
		"a route": {service, edit(t, service, "  routes:\n", "  routes:\n  - {path: /more, response: {body: 1}}\n"), []string{
			"LLMService default/assistant: reloads in place, and keeps the pods",
			"  ~ ConfigMap assistant-config-v1",
			`      + data.current.routes[POST /more]: {"budget":{"maxBytes":16777216,"maxCalls":64},"method":"POST","path":"/more","response":{"body":1},"timeout":"30s"}`,
		}},
		"the order of steps": {
			edit(t, service, "    steps: [", "    steps: [{name: b, set: {value: 1}}, "),
			edit(t, service, "PROMPT}]}}]", "PROMPT}]}}, {name: b, set: {value: 1}}]"),
			[]string{
				"LLMService default/assistant: reloads in place, and keeps the pods",
				"  ~ ConfigMap assistant-config-v1",
				`      ~ data.current.routes[POST /answer].steps: ["b","answer"] -> ["answer","b"]`,
			},
		},
		"the longest stream": {service, service + "  runtime: {maxStreamDuration: 7m}\n", []string{
			"LLMService default/assistant: replaces the pods, one after the other",
			"  ~ Deployment assistant",
			`      ~ spec.template.spec.containers[gateway].args[1]: "--max-stream-duration=5m0s" -> "--max-stream-duration=7m0s"`,
			`      ~ spec.template.spec.terminationGracePeriodSeconds: 320 -> 440`,
		}},
		"a Secret": {service, edit(t, service, "name: keys", "name: others"), []string{
			"LLMService default/assistant: replaces the pods, one after the other",
			"  ~ ConfigMap assistant-config-v1",
			`      ~ data.current.upstreams[fast].auth.bearer.secret: "keys" -> "others"`,
			"  ~ Deployment assistant",
		}},
		"replicas": {service, service + "  replicas: 3\n", []string{
			"LLMService default/assistant: keeps the pods and their config; scales from 1 to 3 replicas",
			"  ~ Deployment assistant",
			"      ~ spec.replicas: 1 -> 3",
		}},
		"an autoscaler goes": {
			service + "  scaling: {maxReplicas: 3, metrics: [{name: cpu, type: CPU, averageUtilization: 70}]}\n", service,
			[]string{"LLMService default/assistant: keeps the pods and their config", "  - HorizontalPodAutoscaler assistant"},
		},
		"a new one": {edit(t, service, "name: assistant", "name: before"), service, []string{
			"LLMService default/assistant: is new, with 5 objects",
			"  + ServiceAccount assistant",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := directory(t, map[string]string{"old.yaml": tt.old, "next.yaml": tt.next})
			out, errs, err := execute(t, "", "diff", "-f", dir+"/next.yaml", "--from", dir+"/old.yaml")
			if want := len(tt.want) > 1; errs != "" || errors.Is(err, errFound) != want || !want && err != nil {
				t.Fatalf("%v %s\n%s", err, errs, out)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if diff := cmp.Diff(tt.want, lines[:min(len(lines), len(tt.want))]); diff != "" {
				t.Errorf("-want +got\n%s\n%s", diff, out)
			}
		})
	}
}

func TestDiffForPrograms(t *testing.T) {
	out, _, err := execute(t, edit(t, service, "PROMPT", "other"), "diff", "-f", "-", "--from", directory(t, map[string]string{"a.yaml": service}), "-o", "json")
	if !errors.Is(err, errFound) {
		t.Fatal(err)
	}
	var got []difference
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := []difference{{
		Namespace: "default", Name: "assistant", Change: changed, Reloads: true,
		Children: []childDifference{{"ConfigMap", "assistant-config-v1", changed, []fieldChange{
			{"data.current.routes[POST /answer].steps[answer].chat.messages[0].content", "PROMPT", "other"},
		}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// live is an API server that has the service of a manifest in team-a, as it would have stored it, edited further.
func live(t *testing.T, text string, changes func(object map[string]any)) string {
	t.Helper()
	service, err := manifest.Load(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(service)
	if err != nil {
		t.Fatal(err)
	}
	object["metadata"].(map[string]any)["uid"] = "uid-1"
	object["metadata"].(map[string]any)["namespace"] = "team-a"
	changes(object)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method != http.MethodGet:
			t.Errorf("%s %s: diff writes", r.Method, r.URL)
		case r.URL.Path == "/apis/serving.llmservice.dev/v1alpha1/namespaces/team-a/llmservices/assistant":
			_ = json.NewEncoder(w).Encode(object)
		case strings.HasPrefix(r.URL.Path, "/apis/serving.llmservice.dev/v1alpha1/namespaces/secret/"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not for you","reason":"Forbidden","code":403}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not found","reason":"NotFound","code":404}`)
		}
	}))
	t.Cleanup(server.Close)
	return kubeconfigOf(t, server.URL)
}

func TestDiffWithTheCluster(t *testing.T) {
	scaled := live(t, service, func(object map[string]any) { _ = unstructured.SetNestedField(object, int64(4), "spec", "replicas") })
	refused := live(t, service, func(object map[string]any) {
		_ = unstructured.SetNestedSlice(object, []any{map[string]any{
			"type": "ConfigValid", "status": "False", "reason": "Invalid", "message": "spec.routes[0]: no", "lastTransitionTime": "2026-01-01T00:00:00Z",
		}}, "status", "conditions")
	})
	for name, tt := range map[string]struct {
		kubeconfig, text string
		args             []string
		want, errs       string
		code             int
	}{
		"replicas stay":        {scaled, service, nil, "LLMService team-a/assistant: changes nothing\n", "", 0},
		"replicas are set":     {scaled, service + "  replicas: 2\n", nil, "scales from 4 to 2 replicas", "", exitFound},
		"another namespace":    {scaled, service, []string{"-n", "team-b"}, "LLMService team-b/assistant: is new", "", exitFound},
		"namespaces differ":    {scaled, edit(t, service, "{name: assistant}", "{name: assistant, namespace: team-a}"), []string{"-n", "team-b"}, "", "--namespace: is team-b, but assistant is in namespace team-a", exitFailed},
		"no right":             {scaled, service, []string{"-n", "secret"}, "", "read LLMService secret/assistant: not for you", exitFailed},
		"a spec that is wrong": {refused, service, nil, "changes nothing", "team-a/assistant: the spec in the cluster is refused, so its pods run an earlier one", 0},
		"a wrong manifest":     {scaled, edit(t, service, upstreamOf, "steps: [{name: answer, chat: {upstream: slow"), nil, "", `(stdin):14:45: spec.routes[0].steps[0].chat.upstream`, exitFailed},
		"no kubeconfig":        {"none", service, nil, "", "read the kubeconfig", exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, err := execute(t, tt.text, append([]string{"diff", "-f", "-", "--kubeconfig", tt.kubeconfig}, tt.args...)...)
			if code := exitCode(err); code != tt.code || !strings.Contains(out, tt.want) || !strings.Contains(errs+fmt.Sprint(err), tt.errs) {
				t.Errorf("code %d, %v, %s\n%s", code, err, errs, out)
			}
		})
	}
}

func TestDiffFails(t *testing.T) {
	dir := directory(t, map[string]string{"bad.yaml": edit(t, service, "/answer", "answer"), "other.yaml": other})
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no file":            {nil, `"filename" not set`},
		"another output":     {[]string{"-f", "-", "-o", "yaml"}, `--output: "yaml", want one of text, json`},
		"an old one is bad":  {[]string{"-f", "-", "--from", dir + "/bad.yaml"}, "--from: the manifests have 1 error"},
		"no old one":         {[]string{"-f", "-", "--from", dir + "/other.yaml"}, "there is no LLMService"},
		"an old one is gone": {[]string{"-f", "-", "--from", dir + "/none.yaml"}, "no such file"},
	} {
		if out, _, err := execute(t, service, append([]string{"diff"}, tt.args...)...); exitCode(err) != exitFailed || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q\n%s", name, err, tt.want, out)
		}
	}
}

// TestFieldChanges keys items by their names, and shows what is long in part.
func TestFieldChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after string
		want          []string
	}{
		"members":      {`{"a": 1, "b": {"c": 1}}`, `{"b": {"c": 2}, "d": null}`, []string{`- a: 1`, `~ b.c: 1 -> 2`}},
		"types":        {`{"a": {"b": 1}}`, `{"a": [1]}`, []string{`~ a: {"b":1} -> [1]`}},
		"named":        {`{"a": [{"name": "x", "v": 1}, {"name": "y"}]}`, `{"a": [{"name": "z"}, {"name": "x", "v": 2}]}`, []string{`~ a[x].v: 1 -> 2`, `- a[y]: {"name":"y"}`, `+ a[z]: {"name":"z"}`}},
		"not all are":  {`{"a": [{"name": "x"}, 1]}`, `{"a": [{"name": "y"}]}`, []string{`- a[0]: {"name":"x"}`, `- a[1]: 1`, `+ a[y]: {"name":"y"}`}},
		"twice a name": {`{"a": [{"name": "x", "v": 1}, {"name": "x"}]}`, `{"a": [{"name": "x", "v": 2}, {"name": "x"}]}`, []string{`~ a[0].v: 1 -> 2`}},
		"long":         {`{"a": 1}`, `{"a": "` + strings.Repeat("x", 300) + `"}`, []string{`~ a: 1 -> "` + strings.Repeat("x", 199) + `…`}},
	} {
		var before, after any
		if err := errors.Join(json.Unmarshal([]byte(tt.before), &before), json.Unmarshal([]byte(tt.after), &after)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fieldChanges("", before, after) {
			got = append(got, f.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
