package operator

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/config/crd"
	"github.com/llmservice/llmservice/test/apiserver"
)

// The chart is uninstalled and installed under another name: the definition and the LLMServices stay, nothing else does, and the new
// release has to be told to take the definition over.
func TestReinstallUnderAnotherName(t *testing.T) {
	s := alone(t)
	service := s.create("assistant")
	h := newHelm(t)
	// The test's API server has the definition already, as one has that kustomize installed it on.
	if err := h.run("install", "first", chart); err == nil || !strings.Contains(err.Error(), "llmservices.serving.llmservice.dev") {
		t.Errorf("Helm takes over a definition that is not its own: %v", err)
	}
	define(t, crd.LLMServices, "older")
	if err := h.run("install", "hasty", chart, "--take-ownership"); err == nil || !strings.Contains(err.Error(), "conflict") {
		t.Errorf("Helm changes what kubectl applied, unasked: %v", err)
	}
	h.must("uninstall", "hasty")
	h.must("install", "first", chart, "--take-ownership", "--force-conflicts", "--set", "webhook.enabled=true")
	hook := new(admissionregistrationv1.ValidatingWebhookConfiguration)
	if !exists(t, client.ObjectKey{Name: "first-webhook"}, hook) {
		t.Error("installing made no webhook")
	}
	h.must("uninstall", "first")
	if !exists(t, client.ObjectKeyFromObject(service), service) {
		t.Fatal("uninstalling deleted the LLMService")
	}
	if role := new(rbacv1.ClusterRole); exists(t, client.ObjectKey{Name: "first-manager"}, role) {
		t.Error("uninstalling left a ClusterRole")
	}
	if exists(t, client.ObjectKeyFromObject(hook), hook) {
		t.Error("uninstalling left the webhook")
	}
	if err := h.run("install", "second", chart); err == nil {
		t.Error("a release of another name takes the definition over unasked")
	}
	h.must("install", "second", chart, "--take-ownership")
	h.must("upgrade", "second", chart, "--set", "manager.logLevel=debug")
	h.must("rollback", "second")
	h.must("uninstall", "second")
	if !exists(t, client.ObjectKeyFromObject(service), service) {
		t.Error("uninstalling deleted the LLMService")
	}
}

// The chart of a release is upgraded to the present one and rolled back: the API server takes each object of both.
func TestChartUpgradesFromARelease(t *testing.T) {
	for _, r := range releases(t) {
		h := newHelm(t)
		h.must("install", "upgraded", filepath.Join("testdata/releases", r.name, "chart"), "--take-ownership", "--force-conflicts")
		h.must("upgrade", "upgraded", chart)
		h.must("rollback", "upgraded")
		h.must("upgrade", "upgraded", chart)
		h.must("uninstall", "upgraded")
	}
}

// helm is Helm before the tests' API server.
type helm struct {
	t          *testing.T
	program    string
	kubeconfig string
}

func newHelm(t *testing.T) helm {
	t.Helper()
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	h := helm{t, filepath.Join(assets, "helm"), filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(h.kubeconfig, server.AdminKubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

type helmError struct{ said string }

func (e helmError) Error() string { return e.said }

// run runs Helm in the operator's namespace. Nobody starts pods, so nothing is waited for.
func (h helm) run(args ...string) error {
	command := exec.CommandContext(h.t.Context(), h.program, append(args, "--namespace", apiserver.Namespace, "--kubeconfig", h.kubeconfig)...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if command.Run() != nil {
		return helmError{output.String()}
	}
	return nil
}

func (h helm) must(args ...string) {
	h.t.Helper()
	if err := h.run(args...); err != nil {
		h.t.Fatalf("helm %v: %v", args, err)
	}
}
