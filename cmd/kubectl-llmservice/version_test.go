package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// deployments is an API server that lists the images by path, and forbids all others.
func deployments(t *testing.T, images map[string][]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		listed, ok := images[r.URL.Path+"?"+r.URL.Query().Get("labelSelector")]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not for you","reason":"Forbidden","code":403}`)
			return
		}
		list := appsv1.DeploymentList{}
		list.Kind, list.APIVersion = "DeploymentList", "apps/v1"
		for _, image := range listed {
			name, at, _ := strings.Cut(image, "=")
			d := appsv1.Deployment{}
			d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "proxy"}, {Name: name, Image: at}}
			list.Items = append(list.Items, d)
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	t.Cleanup(server.Close)
	return kubeconfigOf(t, server.URL)
}

func TestVersion(t *testing.T) {
	kubeconfig := deployments(t, map[string][]string{
		"/apis/apps/v1/deployments?app.kubernetes.io/name=llmservice,app.kubernetes.io/component=manager": {"manager=r/manager:v1"},
		"/apis/apps/v1/namespaces/team-a/deployments?app.kubernetes.io/name=llmservice-gateway":           {"gateway=r/gateway:v1", "gateway=r/gateway:v1", "gateway=r/gateway:v0"},
		"/apis/apps/v1/namespaces/empty/deployments?app.kubernetes.io/name=llmservice-gateway":            {},
	})
	out, errs, err := execute(t, "", "version", "--kubeconfig", kubeconfig, "-o", "json")
	if err != nil || errs != "" {
		t.Fatal(err, errs)
	}
	var got versions
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := versions{
		Client: clientVersion(), Namespace: "team-a",
		Operators: map[string]int{"r/manager:v1": 1}, Gateways: map[string]int{"r/gateway:v0": 1, "r/gateway:v1": 2},
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Client.Go == "" || got.Client.Version == "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, tt := range map[string]struct {
		args       []string
		want, errs string
	}{
		"text":          {[]string{"--kubeconfig", kubeconfig}, "Gateways  r/gateway:v1  2 Deployments in namespace team-a", ""},
		"none":          {[]string{"--kubeconfig", kubeconfig, "-n", "empty"}, "Gateways  none in namespace empty", ""},
		"no right":      {[]string{"--kubeconfig", kubeconfig, "-n", "other"}, "Operator  r/manager:v1", "Not read: the gateways: not for you"},
		"no kubeconfig": {[]string{"--kubeconfig", "none"}, "Client  ", "Not read: read the kubeconfig"},
		"the client":    {[]string{"--kubeconfig", "none", "--client"}, "Client  ", ""},
	} {
		out, errs, err := execute(t, "", append([]string{"version"}, tt.args...)...)
		if err != nil || !strings.Contains(out, tt.want) || !strings.HasPrefix(errs, tt.errs) || tt.errs == "" && errs != "" {
			t.Errorf("%s: %v %q\n%s", name, err, errs, out)
		}
	}
}
