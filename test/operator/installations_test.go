package operator

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/apiserver"
)

// expiry is after how long one installation follows another, in these tests.
const expiry = 10 * time.Second

// install runs the operator of an installation, with an image of its own, until what it returns is called.
func (s *system) install(namespace, image, probes string) (writes *recorder, stop func()) {
	s.t.Helper()
	writes = &recorder{}
	config := rest.CopyConfig(managerConfig)
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(sent *http.Request) (*http.Response, error) {
			if strings.Contains(sent.URL.Path, "/leases") || strings.Contains(sent.URL.Path, "/events") {
				return next.RoundTrip(sent)
			}
			return (&recorder{next: next, refuses: writes.note}).RoundTrip(sent)
		})
	}
	manager, err := controllers.NewManager(config, controllers.Options{
		Gateway: render.GatewaySettings{Image: image}, ProbeAddress: probes, MetricsAddress: "0",
		LeaderElection: true, Namespace: namespace, Installation: namespace + "/manager", ClaimNamespace: s.namespace, // that of the cluster may still be held by a manager that another test has ended
		ClaimExpiry: expiry, PodAddress: s.fleet.address, Logger: testr.New(s.t),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	return writes, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("operator: %v", err)
		}
	})
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

// allow gives the operator rights in the namespace, until the test ends.
func (s *system) allow(namespace string, rules ...rbacv1.PolicyRule) {
	s.t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "more"},
		Rules:      rules,
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
		s.t.Cleanup(func() {
			if err := api.Delete(context.Background(), object); err != nil {
				s.t.Error(err)
			}
		})
	}
}

// leases is the right to elect a leader, and to claim what is to be reconciled.
var leases = rbacv1.PolicyRule{
	APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "list", "update"},
}

// allowLeases lets the operator elect a leader in the namespace, and tell of it.
func (s *system) allowLeases(namespace string) {
	s.t.Helper()
	s.allow(namespace,
		leases,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	)
}

// Two installations with different images would write each Deployment in turns for ever. The second says that it stays out, once
// for people and as long as it lasts for probes, and takes over when the first has gone.
func TestASecondInstallationStaysOut(t *testing.T) {
	s := start(t)
	s.stop()
	s.allowLeases(s.namespace)
	_, stopFirst := s.install(apiserver.Namespace, "gateway:first", "0")
	defer stopFirst()
	service := s.create("assistant")
	before := s.fleet.awaitDelivery(service, "")
	own := s.deployManager()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	probes := listener.Addr().String()
	_ = listener.Close()
	writes, stopSecond := s.install(s.namespace, "gateway:second", probes)
	defer stopSecond()
	first := apiserver.Namespace + "/manager"
	eventually(t, "the second installation's word", func() error {
		if ready, said := readiness(t, probes); ready || !strings.Contains(said, first) {
			return fmt.Errorf("ready: %t, %q", ready, said)
		}
		return nil
	})
	s.edit(service, model("m2"))
	before = s.fleet.awaitDelivery(service, before)
	if got := s.image(service); got != "gateway:first" {
		t.Errorf("the Deployment runs %q", got)
	}
	if sent := writes.take(); len(sent) > 0 {
		t.Errorf("the second installation wrote: %v", sent)
	}

	stopFirst()
	s.edit(service, model("m3"))
	s.fleet.awaitDelivery(service, before)
	eventually(t, "the second installation's Deployment", func() error {
		if got := s.image(service); got != "gateway:second" {
			return fmt.Errorf("it runs %q", got)
		}
		if ready, said := readiness(t, probes); !ready {
			return fmt.Errorf("not ready: %q", said)
		}
		return nil
	})
	var events corev1.EventList
	if err := api.List(t.Context(), &events, client.InNamespace(s.namespace)); err != nil {
		t.Fatal(err)
	}
	var told []string
	for i := range events.Items {
		if e := &events.Items[i]; e.Reason == controllers.EventStaysOut && e.InvolvedObject.UID == own {
			told = append(told, fmt.Sprintf("%d %s %s", max(1, e.Count), e.Type, e.Message))
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "1 Warning the installation "+first) {
		t.Errorf("events: %q, want one that names %s", told, first)
	}
}

// deployManager makes the Deployment of the installation in the namespace, of which the test plays the pods.
func (s *system) deployManager() types.UID {
	s.t.Helper()
	labels := map[string]string{"app": "manager"}
	manager := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "manager"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "manager", Image: "manager"}}},
			},
		},
	}
	if err := api.Create(s.t.Context(), manager); err != nil {
		s.t.Fatal(err)
	}
	return manager.UID
}

// readiness asks a manager's probe about its installation.
func readiness(t *testing.T, probes string) (ready bool, said string) {
	t.Helper()
	response, err := (&http.Client{Timeout: patience}).Get("http://" + probes + "/readyz/installation")
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err.Error()
	}
	return response.StatusCode == http.StatusOK, string(body)
}

// image is what the service's Deployment runs; empty for none.
func (s *system) image(service *v1alpha1.LLMService) string {
	s.t.Helper()
	var deployment appsv1.Deployment
	if !exists(s.t, client.ObjectKeyFromObject(service), &deployment) {
		return ""
	}
	return deployment.Spec.Template.Spec.Containers[0].Image
}

// A leader that is stopped gives its Lease back, so that another begins at once, and not when the Lease has run out.
func TestALeaderThatEndsReleasesItsLease(t *testing.T) {
	s := alone(t)
	s.config = restConfig // the operator's rights to Leases are in its own namespace
	s.options = func(o *controllers.Options) { o.LeaderElection, o.Namespace = true, s.namespace }
	s.run(nil)
	s.fleet.awaitDelivery(s.create("assistant"), "")
	if holders := s.holders(); len(holders) != 1 || holders[0] == "" {
		t.Fatalf("Leases are held by %q, want one that is held", holders)
	}
	s.stop()
	if holders := s.holders(); len(holders) != 1 || holders[0] != "" {
		t.Errorf("Leases are held by %q after the leader's end, want one that nobody holds", holders)
	}
}

// holders are those of the Leases in the test's namespace.
func (s *system) holders() []string {
	s.t.Helper()
	var leases coordinationv1.LeaseList
	if err := api.List(s.t.Context(), &leases, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for i := range leases.Items {
		holder := ""
		if of := leases.Items[i].Spec.HolderIdentity; of != nil {
			holder = *of
		}
		all = append(all, holder)
	}
	return all
}
