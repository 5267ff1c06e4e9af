package operator

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr/testr"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/apiserver"
)

// install runs the operator of an installation, with an image of its own, until what it returns is called.
func (s *system) install(namespace, image, probes string) (writes *recorder, stop func()) {
	s.t.Helper()
	writes = &recorder{}
	config := rest.CopyConfig(managerConfig)
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(sent *http.Request) (*http.Response, error) {
			if strings.Contains(sent.URL.Path, "/leases") {
				return next.RoundTrip(sent)
			}
			return (&recorder{next: next, refuses: writes.note}).RoundTrip(sent)
		})
	}
	manager, err := controllers.NewManager(config, controllers.Options{
		Gateway: render.Gateway{Image: image}, ProbeAddress: probes, MetricsAddress: "0",
		LeaderElection: true, Namespace: namespace, Installation: namespace + "/manager", ClaimNamespace: s.namespace, // that of the cluster may still be held by a manager that another test has ended
		PodAddress: s.fleet.address, Logger: testr.New(s.t),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	return writes, func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("operator: %v", err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(sent *http.Request) (*http.Response, error) { return f(sent) }

// note keeps a write and lets it pass.
func (r *recorder) note(write request) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, write)
	return 0
}

// allow gives the operator a right in the namespace.
func (s *system) allow(namespace string, rule rbacv1.PolicyRule) {
	s.t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "more"},
		Rules:      []rbacv1.PolicyRule{rule},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: apiserver.Namespace, Name: apiserver.ServiceAccount}},
	}
	for _, object := range []client.Object{role, binding} {
		if err := api.Create(s.t.Context(), object); err != nil {
			s.t.Fatal(err)
		}
	}
}

// allowLeases lets the operator elect a leader in the namespace.
func (s *system) allowLeases(namespace string) {
	s.t.Helper()
	s.allow(namespace, rbacv1.PolicyRule{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"},
	})
}

// Two installations with different images would write each Deployment in turns for ever.
func TestASecondInstallationStaysOut(t *testing.T) {
	s := start(t)
	s.stop()
	s.allowLeases(s.namespace)
	_, stopFirst := s.install(apiserver.Namespace, "gateway:first", "0")
	defer stopFirst()
	service := s.create("assistant")
	before := s.fleet.awaitDelivery(service, "")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	probes := listener.Addr().String()
	_ = listener.Close()
	writes, stopSecond := s.install(s.namespace, "gateway:second", probes)
	defer stopSecond()
	probe := &http.Client{Timeout: patience}
	eventually(t, "the second installation's word", func() error {
		response, err := probe.Get("http://" + probes + "/readyz/installation")
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		said, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		if response.StatusCode == http.StatusOK {
			return fmt.Errorf("it is ready: %s", said)
		}
		return nil
	})
	s.edit(service, model("m2"))
	s.fleet.awaitDelivery(service, before)
	var deployment appsv1.Deployment
	if !exists(t, client.ObjectKeyFromObject(service), &deployment) || deployment.Spec.Template.Spec.Containers[0].Image != "gateway:first" {
		t.Errorf("the Deployment runs %q", deployment.Spec.Template.Spec.Containers[0].Image)
	}
	if sent := writes.take(); len(sent) > 0 {
		t.Errorf("the second installation wrote: %v", sent)
	}
}
