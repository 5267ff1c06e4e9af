package operator

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/metricsapi"
	"github.com/llmservice/llmservice/controllers/render"
)

// unseen are the rights that no request of this test needs, with the reason why the operator has them.
var unseen = map[string]string{
	"update llmservices/finalizers.serving.llmservice.dev": "the admission plugin OwnerReferencesPermissionEnforcement asks for it, and no request",
	"patch events.events.k8s.io":                           "an event that is repeated within six minutes, word for word and about the same version of an object, becomes a series",
	"patch events":                                         "the same, of an event about the election",
}

// everywhere is what the values of an installation ask for, besides the namespaces that it watches.
var everywhere = []string{"metricsAPI.enabled=true", "webhook.enabled=true", "manager.secureMetrics=true"}

// clusterWide are parts of the names of what Kubernetes has of no namespace, and of the rights to it.
var clusterWide = []string{"-webhook", "-metrics-api", "-manager-metrics"}

// The manager of a release runs with the rights that Helm renders, and does once all that an operator does. The API server's audit log
// then has no request that was forbidden, and one for each right.
func TestTheChartGivesTheRightsThatAreUsed(t *testing.T) {
	t.Run("whole cluster", func(t *testing.T) {
		i := installChart(t, "whole", append(everywhere, "claimNamespace="+alone(t).namespace)...)
		i.runChart()
		i.liveThrough()
		i.stop()
		i.followAnother()
		i.compare()
	})
	t.Run("some namespaces", func(t *testing.T) {
		watched, other := alone(t), alone(t)
		i := installChart(t, "some", append(everywhere, "claimNamespace="+alone(t).namespace, "watchNamespaces={"+watched.namespace+"}")...)
		i.namespace, i.fleet = watched.namespace, watched.fleet
		foreign := other.create("assistant", everything)
		i.runChart()
		i.liveThrough()
		i.stop()
		i.followAnother()
		i.compare()
		for _, role := range i.objects {
			if kind := role.GetKind(); kind == "ClusterRoleBinding" && !slices.ContainsFunc(clusterWide, func(of string) bool { return strings.Contains(role.GetName(), of) }) {
				t.Errorf("%s %s gives the manager rights in the whole cluster", kind, role.GetName())
			}
		}
		other.isUntouched(foreign)
	})
}

// isUntouched says that no operator has seen the service.
func (s *system) isUntouched(service *v1alpha1.LLMService) {
	s.t.Helper()
	for kind, child := range children(service) {
		if exists(s.t, client.ObjectKeyFromObject(child), child) {
			s.t.Errorf("a service of another namespace has a %s", kind)
		}
	}
	if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		s.t.Fatal(err)
	}
	if service.Status.ObservedGeneration > 0 {
		s.t.Errorf("the status of a service in another namespace is %+v", service.Status)
	}
}

// liveThrough has the operator do once what it does at all.
func (i *installation) liveThrough() {
	i.t.Helper()
	i.awaitRefusal()
	service := i.create("assistant", everything, func(l *v1alpha1.LLMService) {
		l.Spec.Exposure.Service = &v1alpha1.ServiceExposure{Headless: new(true)}
	})
	a, b := i.up(service)
	before := i.fleet.delivered(service)
	i.edit(service, model("m2"))
	revision := i.fleet.awaitDelivery(service, before)
	i.awaitNudge("assistant-a", revision)
	a.serves(revision)
	b.serves(revision)
	i.awaitCondition(service, v1alpha1.ConditionConfigApplied, "True/Acknowledged")
	i.askForTheMetric(service)
	i.scrape()

	// Objects of others have the names of children: the operator asks for each, and leaves it alone.
	i.squat("taken")
	taken := i.create("taken", everything)
	i.awaitCondition(taken, v1alpha1.ConditionStalled, "True/ChildConflict")

	i.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Scaling, l.Spec.Exposure, l.Spec.Monitoring = nil, nil, nil })
	headless := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "assistant-headless"}}
	eventually(i.t, "the end of the headless Service", func() error {
		if exists(i.t, client.ObjectKeyFromObject(headless), headless) {
			return errors.New("it is there")
		}
		return nil
	})
	wanted := childrenOf(service)
	for kind, child := range children(service) {
		eventually(i.t, "what becomes of the "+kind, func() error {
			if there := exists(i.t, client.ObjectKeyFromObject(child), child); there != (wanted[kind] != nil) {
				return fmt.Errorf("it is there: %t", there)
			}
			return nil
		})
	}
}

// followAnother runs the manager again, in a pod of another name, where API servers do not stream lists and another installation
// reconciles until its Lease is gone.
func (i *installation) followAnother() {
	i.t.Helper()
	var leases coordinationv1.LeaseList
	if err := api.List(i.t.Context(), &leases, client.InNamespace(i.flags["claim-namespace"])); err != nil || len(leases.Items) != 1 {
		i.t.Fatalf("there are %d Leases: %v", len(leases.Items), err)
	}
	lease := &leases.Items[0]
	edit(i.t, lease, func() { lease.Spec.HolderIdentity = new("others/manager") })
	i.interrupt = func(sent *http.Request) *http.Response {
		if sent.URL.Query().Has("sendInitialEvents") {
			return refused(sent, http.StatusUnprocessableEntity)
		}
		return nil
	}
	i.options = func(o *controllers.Options) {
		i.configure(o)
		o.Webhook.Replica = "manager-1"
	}
	i.fillBundle()
	i.run(nil)
	eventually(i.t, "the event about the other installation", func() error {
		var events corev1.EventList
		err := api.List(i.t.Context(), &events, client.InNamespace(i.name))
		if err != nil || !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Reason == controllers.EventStaysOut }) {
			return fmt.Errorf("none of %d: %w", len(events.Items), err)
		}
		return nil
	})
	if err := api.Delete(i.t.Context(), lease); err != nil {
		i.t.Fatal(err)
	}
	i.fleet.awaitDelivery(i.create("later"), "")
	i.awaitRefusal()
	i.stop()
}

// fillBundle leaves no room for the certificate of another pod unless some of these have gone.
func (i *installation) fillBundle() {
	i.t.Helper()
	var bundle []byte
	for n := range 16 {
		file := filepath.Join(i.t.TempDir(), "former")
		_, _, err := certificate(file, &x509.Certificate{Subject: pkix.Name{SerialNumber: fmt.Sprintf("former-%d", n)}}, nil, nil)
		if err != nil {
			i.t.Fatal(err)
		}
		encoded, err := os.ReadFile(file + ".crt")
		if err != nil {
			i.t.Fatal(err)
		}
		bundle = append(bundle, encoded...)
	}
	var live admissionregistrationv1.ValidatingWebhookConfiguration
	live.Name = i.flags["webhook-service"]
	edit(i.t, &live, func() { live.Webhooks[0].ClientConfig.CABundle = bundle })
}

// squat makes an object in the place of each child that a service with everything would have.
func (i *installation) squat(name string) {
	i.t.Helper()
	service := i.service(name, everything)
	if err := api.Create(i.t.Context(), service, client.DryRunAll); err != nil { // which sets the defaults
		i.t.Fatal(err)
	}
	rendered, err := render.Kinds().Children(render.Input{Service: service, Gateway: render.GatewaySettings{Image: "gateway:test"}})
	if err != nil {
		i.t.Fatal(err)
	}
	for n := range rendered {
		object, err := rendered[n].Unstructured()
		if err != nil {
			i.t.Fatal(err)
		}
		object.SetOwnerReferences(nil)
		object.SetLabels(map[string]string{"of": "somebody"})
		if err := api.Create(i.t.Context(), object); err != nil {
			i.t.Fatal(err)
		}
	}
}

// askForTheMetric asks as an autoscaler does, and past the API server with a token.
func (i *installation) askForTheMetric(service *v1alpha1.LLMService) {
	i.t.Helper()
	if i.metricsAPI == nil {
		return
	}
	kind := v1alpha1.GroupVersion.WithKind(v1alpha1.Kind).GroupKind()
	eventually(i.t, "inflight", func() error {
		return second(i.metricsClient().NamespacedMetrics(i.namespace).GetForObject(kind, service.Name, render.MetricInFlight, labels.Everything()))
	})
	viewer := rest.CopyConfig(restConfig)
	viewer.Impersonate = rest.ImpersonationConfig{UserName: "viewer-of-" + i.namespace, Groups: []string{"system:authenticated"}}
	view := func() error {
		return second(i.metricsClientOf(viewer).NamespacedMetrics(i.namespace).GetForObject(kind, service.Name, render.MetricInFlight, labels.Everything()))
	}
	if err := view(); !apierrors.IsForbidden(err) {
		i.t.Errorf("somebody without any right: %v", err)
	}
	i.put(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "viewer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: i.name + "-viewer"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: viewer.Impersonate.UserName}},
	})
	eventually(i.t, "the metric, for a viewer", view)
	if status, _ := i.getWith("nobodys", i.metricsAPI.Addr().String(), "/apis/"+metricsapi.Group); status != http.StatusUnauthorized {
		i.t.Errorf("nobody's token is answered %d", status)
	}
}

// getWith asks over TLS with a token; empty for none.
func (i *installation) getWith(token, address, path string) (status int, body string) {
	i.t.Helper()
	asker := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, "https://"+address+path, http.NoBody)
	if err != nil {
		i.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := asker.Do(request)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// scrape asks for the manager's metrics: they are for those who have the reader's role, and for nobody else.
func (i *installation) scrape() {
	i.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", i.metrics)
	prometheus := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: i.name, Name: "prometheus"}}
	i.put(prometheus)
	token := &authenticationv1.TokenRequest{}
	if err := api.SubResource("token").Create(i.t.Context(), prometheus, token); err != nil {
		i.t.Fatal(err)
	}
	for given, want := range map[string]int{
		"": http.StatusUnauthorized, token.Status.Token: http.StatusForbidden,
		"nobodys": http.StatusInternalServerError, // controller-runtime takes a wrong token for a failure of its own
	} {
		if status, body := i.getWith(given, address, "/metrics"); status != want || strings.Contains(body, "llmservice_") {
			i.t.Errorf("a stranger with the token %.8q is answered %d %s, want %d", given, status, body, want)
		}
	}
	reader := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: i.name, Name: "reader"}}
	i.put(reader)
	i.put(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: i.name + "-prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: i.name + "-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: i.name, Name: "reader"}},
	})
	granted := &authenticationv1.TokenRequest{}
	if err := api.SubResource("token").Create(i.t.Context(), reader, granted); err != nil {
		i.t.Fatal(err)
	}
	i.awaitMayScrape("system:serviceaccount:" + i.name + ":reader")
	if status, body := i.getWith(granted.Status.Token, address, "/metrics"); status != http.StatusOK || !strings.Contains(body, "controller_runtime_") {
		i.t.Errorf("Prometheus is answered %d %s", status, body)
	}
}

// awaitMayScrape waits until the API server knows the right: the manager keeps for a while what it was told.
func (i *installation) awaitMayScrape(user string) {
	i.t.Helper()
	eventually(i.t, "the right to scrape", func() error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
		}}
		if err := api.Create(i.t.Context(), review); err != nil || !review.Status.Allowed {
			return fmt.Errorf("not yet: %w", err)
		}
		return nil
	})
}

// compare holds the rights against the log.
func (i *installation) compare() {
	i.t.Helper()
	sent := auditsOf(i.t, i.user)
	if len(sent) < 100 {
		i.t.Fatalf("the audit log has %d requests", len(sent))
	}
	for n := range sent {
		if s := &sent[n]; s.Status.Code == http.StatusForbidden {
			i.t.Errorf("forbidden: %s %s: %s", s.Verb, s.URI, s.Status.Message)
		}
	}
	for _, r := range i.rights {
		if slices.Contains([]string{r.group, r.resource, r.verb}, "*") || r.resource == "secrets" {
			i.t.Errorf("%s is more than an operator may have", r)
		}
		used := slices.ContainsFunc(sent, func(s audit) bool { return r.usedBy(&s) })
		general := r
		general.namespace = ""
		if _, listed := unseen[general.String()]; used == listed {
			i.t.Errorf("%s: used is %t, and it is listed as never seen: %t", r, used, listed)
		}
	}
}

// Operators that watch other namespaces work next to each other. One whose namespaces overlap with another's, or that watches all, stays
// out, and names the namespace and the installation that it is about.
func TestInstallationsShareAClusterByNamespaces(t *testing.T) {
	claimed, a, b := alone(t), alone(t), alone(t)
	claim := "claimNamespace=" + claimed.namespace
	first := installChart(t, "first", claim, "watchNamespaces={"+a.namespace+"}")
	second := installChart(t, "second", claim, "watchNamespaces={"+b.namespace+"}")
	for i, s := range map[*installation]*system{first: a, second: b} {
		i.fleet = s.fleet
		i.runChart()
	}
	services := map[*system]*v1alpha1.LLMService{a: a.create("assistant", everything), b: b.create("assistant", everything)}
	for s, service := range services {
		s.up(service)
	}
	overlapping := installChart(t, "both", claim, "watchNamespaces={"+a.namespace+","+b.namespace+"}")
	whole := installChart(t, "whole", claim, "metricsAPI.enabled=false")
	for _, i := range []*installation{overlapping, whole} {
		i.staysOut(a.namespace, first.name+"/"+first.name+"-manager", b.namespace, second.name+"/"+second.name+"-manager")
	}
	for s, service := range services {
		before := s.fleet.delivered(service)
		s.edit(service, model("m2"))
		s.fleet.awaitDelivery(service, before)
	}
	for _, i := range []*installation{overlapping, whole} {
		for _, write := range i.take() {
			if !strings.Contains(write.path, "/leases") && !strings.Contains(write.path, "/events") {
				t.Errorf("%s, which stands by, wrote %v", i.name, write)
			}
		}
	}
	for _, i := range []*installation{first, second, overlapping, whole} {
		i.stop()
		for _, sent := range auditsOf(t, i.user) {
			if sent.Status.Code == http.StatusForbidden {
				t.Errorf("forbidden: %s %s: %s", sent.Verb, sent.URI, sent.Status.Message)
			}
		}
	}
}

// staysOut runs the manager, which must name one of the namespaces with its installation.
func (i *installation) staysOut(namespacesAndInstallations ...string) {
	i.t.Helper()
	i.probes = fmt.Sprintf("127.0.0.1:%d", freePort(i.t))
	i.runChart()
	eventually(i.t, "the word of "+i.name, func() error {
		ready, said := readiness(i.t, i.probes)
		for n := 0; n < len(namespacesAndInstallations); n += 2 {
			what := fmt.Sprintf("the installation %s reconciles namespace %s", namespacesAndInstallations[n+1], namespacesAndInstallations[n])
			if !ready && strings.Contains(said, what) {
				return nil
			}
		}
		return fmt.Errorf("ready: %t, %q", ready, said)
	})
}
