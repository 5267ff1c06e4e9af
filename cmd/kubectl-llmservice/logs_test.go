package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apiServer is an API server that has pods of the namespace team-a, of one service, each with its log; those with none have not
// started. It returns the path of a kubeconfig, and remembers the queries of the logs.
func apiServer(t *testing.T, pods map[string]string, asked *[]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const path = "/api/v1/namespaces/team-a/pods"
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == path {
			list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
			if strings.Contains(r.URL.Query().Get("labelSelector"), "app.kubernetes.io/instance=assistant") {
				for name := range pods {
					list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}})
				}
			}
			encoded, err := json.Marshal(&list)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(encoded)
			return
		}
		name, isLog := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, path+"/"), "/log")
		if !isLog || pods[name] == "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"is waiting to start","reason":"BadRequest","code":400}`)
			return
		}
		if asked != nil {
			*asked = append(*asked, r.URL.RawQuery)
		}
		_, _ = fmt.Fprint(w, pods[name])
	}))
	t.Cleanup(server.Close)
	return kubeconfigOf(t, server.URL)
}

// kubeconfigOf is the path of a kubeconfig that leads to an API server, and to the namespace team-a.
func kubeconfigOf(t *testing.T, url string) string {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":%q}}],
		"contexts":[{"name":"c","context":{"cluster":"c","user":"u","namespace":"team-a"}}],"users":[{"name":"u","user":{}}]}`, url)
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func printLogs(t *testing.T, arguments ...string) (out, errs string, err error) {
	t.Helper()
	return execute(t, "", append([]string{"logs"}, arguments...)...)
}

const (
	second  = "2026-03-01T12:00:0"
	failed  = `{"msg":"request failed","request":"r1"}`
	another = `{"msg":"request failed","request":"r1-more","cause":"r1"}`
)

func TestLogsAreMergedByTime(t *testing.T) {
	kubeconfig := apiServer(t, map[string]string{
		"assistant-a": second + "1Z one\n" + second + "4.5Z four\n" + second + "4.6Z " + failed + "\n",
		"assistant-b": second + "2.25Z two\nwhich goes on\n" + second + "5Z five",
		"assistant-c": second + "3+00:00 three\n" + second + "6Z " + another + "\n" + second + "7Z " + failed + "\n",
		"assistant-d": "",
	}, nil)
	out, errs, err := printLogs(t, "assistant", "--kubeconfig", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"[pod/assistant-a] one", "[pod/assistant-b] two", "[pod/assistant-b] which goes on", "[pod/assistant-c] three", "[pod/assistant-a] four",
		"[pod/assistant-a] " + failed, "[pod/assistant-b] five", "[pod/assistant-c] " + another, "[pod/assistant-c] " + failed, "",
	}, "\n")
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if !strings.Contains(errs, "pod assistant-d: is waiting to start") {
		t.Errorf("a replica that has not started is reported as %q", errs)
	}
	out, _, err = printLogs(t, "assistant", "--kubeconfig", kubeconfig, "--request", "r1")
	if want := "[pod/assistant-a] " + failed + "\n[pod/assistant-c] " + failed + "\n"; err != nil || out != want {
		t.Errorf("of one request: %q, %v, want %q", out, err, want)
	}
}

func TestLogsAreAskedForAsFlagsSay(t *testing.T) {
	var asked []string
	kubeconfig := apiServer(t, map[string]string{"assistant-a": second + "1Z one\n"}, &asked)
	for _, tt := range []struct {
		flags []string
		want  string
	}{
		{nil, "container=gateway&timestamps=true"},
		{[]string{"--since", "90s", "--tail", "7", "-p", "-n", "team-a"}, "container=gateway&previous=true&sinceSeconds=90&tailLines=7&timestamps=true"},
		{[]string{"--since", "1ms"}, "container=gateway&sinceSeconds=1&timestamps=true"},
	} {
		asked = nil
		if _, _, err := printLogs(t, append([]string{"assistant", "--kubeconfig", kubeconfig}, tt.flags...)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{tt.want}, asked); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.flags, diff)
		}
	}
}

func TestLogsThatCannotBeRead(t *testing.T) {
	kubeconfig := apiServer(t, map[string]string{"assistant-a": ""}, nil)
	for name, tt := range map[string]struct {
		arguments []string
		want      string
	}{
		"no such service":   {[]string{"other", "--kubeconfig", kubeconfig}, `namespace team-a has no replica of an LLMService "other"`},
		"none has started":  {[]string{"assistant", "--kubeconfig", kubeconfig}, "pod assistant-a: is waiting to start"},
		"no kubeconfig":     {[]string{"assistant", "--kubeconfig", filepath.Join(t.TempDir(), "none")}, "read the kubeconfig"},
		"no such context":   {[]string{"assistant", "--kubeconfig", kubeconfig, "--context", "d"}, `read the kubeconfig: context "d" does not exist`},
		"a negative age":    {[]string{"assistant", "--since", "-1s"}, "--since: -1s, want at least 0s"},
		"no name":           {nil, "accepts 1 arg(s), received 0"},
		"no such namespace": {[]string{"assistant", "--kubeconfig", kubeconfig, "-n", "other"}, "list the replicas"},
	} {
		if _, _, err := printLogs(t, tt.arguments...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A line that never ends takes no memory.
func TestLongLinesAreCut(t *testing.T) {
	kubeconfig := apiServer(t, map[string]string{"assistant-a": second + "1Z " + strings.Repeat("x", 3*maxLine) + "\n" + second + "2Z next\n"}, nil)
	out, _, err := printLogs(t, "assistant", "--kubeconfig", kubeconfig)
	if lines := strings.Split(out, "\n"); err != nil || len(lines) != 3 || len(lines[0]) > maxLine+100 || lines[1] != "[pod/assistant-a] next" {
		t.Errorf("%d lines, the first of %d bytes, %v", len(lines), len(lines[0]), err)
	}
}
