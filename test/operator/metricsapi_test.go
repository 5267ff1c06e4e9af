package operator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	internalmetrics "k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/metricsapi"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// The whole way of the HPA controller: discovery, the API server's proxy, our certificate, who asks and whether they
// may, and the figures.
func TestInFlightReachesTheAutoscaler(t *testing.T) {
	s := start(t)
	s.stop()
	listener := s.aggregate("metrics")
	s.runWithMetrics(listener)
	service := s.create("assistant", scaling(inFlight), func(l *v1alpha1.LLMService) { l.Labels = map[string]string{"team": "a"} })
	idle := s.create("idle")
	a, b := s.up(service)
	a.set(func(status *report.Status) { status.InFlight = 5 })
	b.set(func(status *report.Status) { status.InFlight = 37 })

	var namespaced custom_metrics.MetricsInterface
	kind := v1alpha1.GroupVersion.WithKind(v1alpha1.Kind).GroupKind()
	eventually(t, "inflight", func() error {
		// The HPA controller caches what discovery says; the test asks anew.
		namespaced = s.metricsClient().NamespacedMetrics(s.namespace)
		value, err := namespaced.GetForObject(kind, service.Name, render.MetricInFlight, labels.Everything())
		if err != nil {
			return err
		}
		if got := value.Value.Value(); got != 42 || value.DescribedObject.UID != service.UID {
			return fmt.Errorf("%d of %s, want 42 of %s", got, value.DescribedObject.UID, service.UID)
		}
		return nil
	})

	values, err := namespaced.GetForObjects(kind, labels.SelectorFromSet(labels.Set{"team": "a"}), render.MetricInFlight, labels.Everything())
	if err != nil || len(values.Items) != 1 || values.Items[0].DescribedObject.Name != service.Name {
		t.Errorf("by selector: %v, %v; want assistant alone", values, err)
	}
	if _, err := namespaced.GetForObject(kind, idle.Name, render.MetricInFlight, labels.Everything()); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("a service that could never be read: %v, want ServiceUnavailable, for which the autoscaler holds", err)
	}
	for name, ask := range map[string]func() error{
		"another metric": func() error {
			return second(namespaced.GetForObject(kind, service.Name, "tokens", labels.Everything()))
		},
		"another service": func() error {
			return second(namespaced.GetForObject(kind, "nobody", render.MetricInFlight, labels.Everything()))
		},
		"another kind": func() error {
			return second(namespaced.GetForObject(schema.GroupKind{Kind: "Pod"}, "assistant-a", render.MetricInFlight, labels.Everything()))
		},
		"a metric with labels": func() error {
			return second(namespaced.GetForObject(kind, service.Name, render.MetricInFlight, labels.SelectorFromSet(labels.Set{"model": "x"})))
		},
	} {
		if err := ask(); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v, want NotFound", name, err)
		}
	}
	s.refusesStrangers(listener.Addr().String())
}

func second[T any](_ T, err error) error { return err }

// refusesStrangers asks past the API server: without its word for who asks, nobody may.
func (s *system) refusesStrangers(address string) {
	s.t.Helper()
	stranger := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	response, err := stranger.Get("https://" + address + "/apis/" + metricsapi.Group + "/v1beta2/namespaces/" + s.namespace +
		"/llmservices." + v1alpha1.Group + "/assistant/" + render.MetricInFlight)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		s.t.Errorf("a stranger gets HTTP %d, want %d", response.StatusCode, http.StatusForbidden)
	}
}

func TestSaysWhoseTheMetricsAPIIs(t *testing.T) {
	s := start(t)
	s.stop()
	listener := s.aggregate("metrics")
	for _, name := range metricsapi.APIServices() {
		var apiService apiregistrationv1.APIService
		apiService.Name = name
		edit(t, &apiService, func() { apiService.Spec.Service.Name = "another-adapter" })
	}
	s.runWithMetrics(listener)
	service := s.create("assistant", scaling(inFlight))
	message := s.awaitCondition(service, v1alpha1.ConditionScaling, "False/MetricsAPIUnavailable")
	if want := "belongs to the Service " + s.namespace + "/another-adapter"; !strings.HasSuffix(message, want) {
		t.Errorf("message %q, want …%q", message, want)
	}
	var apiService apiregistrationv1.APIService
	if !exists(t, client.ObjectKey{Name: metricsapi.APIServiceV1beta2}, &apiService) || len(apiService.Spec.CABundle) > 0 {
		t.Error("somebody else's APIService was changed")
	}
}

// aggregate registers the metrics API: its Service leads to a listener on loopback.
func (s *system) aggregate(name string) net.Listener {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	port := int32(listener.Addr().(*net.TCPAddr).Port)
	s.register(s.namespace, name, port)
	return listener
}

// register makes a Service that leads to a port on loopback, and the APIServices that name it, until the test ends.
func (s *system) register(namespace, name string, port int32) {
	s.t.Helper()
	front := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: port}},
		},
	}
	if err := api.Create(s.t.Context(), front); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := api.Delete(context.Background(), front); err != nil {
			s.t.Error(err)
		}
	})
	for _, apiService := range metricsapi.APIServices() {
		version, group, _ := strings.Cut(apiService, ".")
		registration := &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: apiService},
			Spec: apiregistrationv1.APIServiceSpec{
				Group: group, Version: version, GroupPriorityMinimum: 100, VersionPriority: 100,
				Service: &apiregistrationv1.ServiceReference{Namespace: namespace, Name: name, Port: &port},
			},
		}
		if err := api.Create(s.t.Context(), registration); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() {
			if err := api.Delete(context.Background(), registration); client.IgnoreNotFound(err) != nil {
				s.t.Error(err)
			}
		})
	}
}

func (s *system) runWithMetrics(listener net.Listener) {
	s.t.Helper()
	s.run(&controllers.CustomMetrics{
		Listener: listener, Service: types.NamespacedName{Namespace: s.namespace, Name: "metrics"}, Kubeconfig: kubeconfigFile(s.t),
	})
}

// kubeconfigFile is a file with the operator's kubeconfig.
func kubeconfigFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// metricsClient is what the HPA controller builds.
func (s *system) metricsClient() custom_metrics.CustomMetricsClient {
	s.t.Helper()
	return s.metricsClientOf(restConfig)
}

func (s *system) metricsClientOf(config *rest.Config) custom_metrics.CustomMetricsClient {
	s.t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		s.t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		s.t.Fatal(err)
	}
	versions := custom_metrics.NewAvailableAPIsGetter(discovery.NewDiscoveryClientForConfigOrDie(config))
	return custom_metrics.NewForConfig(config, mapper, versions)
}

// held answers a question once it is released, and says how long it was given.
type held struct {
	metricsapi.Provider

	given   chan time.Duration
	release chan struct{}
}

func (h *held) GetMetricByName(
	ctx context.Context, name types.NamespacedName, _ provider.CustomMetricInfo, _ labels.Selector,
) (*internalmetrics.MetricValue, error) {
	deadline, _ := ctx.Deadline()
	h.given <- time.Until(deadline)
	select {
	case <-h.release:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &internalmetrics.MetricValue{DescribedObject: internalmetrics.ObjectReference{Name: name.Name}}, nil
}

// A manager that is told to stop answers the questions that are open, and none of them keeps it longer than a part of its grace
// period: past that it would end with an error.
func TestOpenQuestionsEndWithinTheGracePeriod(t *testing.T) {
	const grace = 30 * time.Second // of the manager's pod, and of controller-runtime
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &held{given: make(chan time.Duration, 1), release: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	server := &metricsapi.Server{Provider: h, Listener: listener, Certificate: selfSigned(t), Kubeconfig: kubeconfigFile(t)}
	go func() { ended <- server.Start(ctx) }()
	asker := rest.CopyConfig(restConfig)
	asker.Host = "https://" + listener.Addr().String()
	asker.Insecure, asker.CAData, asker.CAFile = true, nil, ""
	hpa, err := rest.HTTPClientFor(asker)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		hpa.CloseIdleConnections()
		response, err := hpa.Get(asker.Host + "/apis/" + metricsapi.Group + "/v1beta2/namespaces/team-a/llmservices." + v1alpha1.Group + "/assistant/" + render.MetricInFlight)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	}
	var answers chan error
	var given time.Duration
	eventually(t, "a question", func() error { // it is refused until the server has read whom to trust
		answers = make(chan error, 1)
		go func(answers chan<- error) { answers <- ask() }(answers)
		select {
		case given = <-h.given:
			return nil
		case err := <-answers:
			return err
		}
	})
	if given <= 0 || given > grace/2 {
		t.Errorf("a question is given %v, want some, and less than half of %v", given, grace)
	}
	stop()
	close(h.release)
	for what, done := range map[string]chan error{"answer": answers, "server": ended} {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Errorf("no end of the %s", what)
		}
	}
}

func selfSigned(t *testing.T) dynamiccertificates.CertKeyContentProvider {
	t.Helper()
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := dynamiccertificates.NewStaticCertKeyContent("test", certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
