package metricsapi

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOptions: the server has the listener that it was given, writes no key to disk, asks the API server of its kubeconfig about
// its clients, and has no profiles for them.
func TestOptions(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	o := (&Server{Listener: listener, Kubeconfig: "/kubeconfig"}).options()
	for name, ok := range map[string]bool{
		"the listener is another":   o.SecureServing.Listener == listener,
		"a certificate is stored":   o.SecureServing.ServerCert.CertDirectory == "" && o.SecureServing.ServerCert.PairName == "",
		"who asks is not asked":     o.Authentication.RemoteKubeConfigFile == "/kubeconfig",
		"who may is not asked":      o.Authorization.RemoteKubeConfigFile == "/kubeconfig",
		"profiles can be had of it": !o.Features.EnableProfiling,
	} {
		if !ok {
			t.Error(name)
		}
	}
}

// TestEveryReplicaServes: a manager that waits to lead answers, too.
func TestEveryReplicaServes(t *testing.T) {
	if (&Server{}).NeedLeaderElection() {
		t.Error("only the leader serves")
	}
}

func TestAServerThatCannotBeConfiguredSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = (&Server{Listener: listener, Kubeconfig: kubeconfig, Provider: &Provider{}}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "metrics API: ") || !strings.Contains(err.Error(), "configure") {
		t.Errorf("Start() = %v", err)
	}
}
