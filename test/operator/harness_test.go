package operator

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
)

// patience is how long a condition may take on a busy machine.
const patience = 60 * time.Second

// request is one that the operator sent to change something.
type request struct{ method, path, body string }

func (r request) String() string { return r.method + " " + r.path + " " + r.body }

// recorder keeps the requests that change something, and refuses some of them.
type recorder struct {
	next http.RoundTripper

	mu     sync.Mutex
	writes []request
	// refuses says with which status a request is answered that must not reach the API server; 0 lets it pass.
	refuses func(request) int
	// interrupt answers any request in the API server's place, or returns nil; it is nil if nothing does.
	interrupt func(*http.Request) *http.Response
}

// refuse answers requests in the API server's place from now on; nil ends that.
func (r *recorder) refuse(refuses func(request) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = refuses
}

// refused is the API server's answer of this status.
func refused(sent *http.Request, status int) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":"refused by the test"}`, status)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: sent,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func (r *recorder) RoundTrip(sent *http.Request) (*http.Response, error) {
	if r.interrupt != nil {
		if response := r.interrupt(sent); response != nil {
			return response, nil
		}
	}
	if sent.Method != http.MethodGet {
		var body []byte
		if sent.Body != nil {
			var err error
			if body, err = io.ReadAll(sent.Body); err != nil {
				return nil, err
			}
			_ = sent.Body.Close()
			sent = sent.Clone(sent.Context())
			sent.Body = io.NopCloser(bytes.NewReader(body))
		}
		write := request{sent.Method, sent.URL.Path, string(body)}
		r.mu.Lock()
		r.writes = append(r.writes, write)
		refuses := r.refuses
		r.mu.Unlock()
		if refuses != nil {
			if status := refuses(write); status != 0 {
				return refused(sent, status), nil
			}
		}
	}
	return r.next.RoundTrip(sent)
}

// take returns the requests since it was called last.
func (r *recorder) take() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.writes
	r.writes = nil
	return taken
}

// system is an operator and a namespace with gateways for it.
type system struct {
	*recorder

	t         *testing.T
	namespace string
	fleet     *fleet
	stop      func()
	// probes is where the operator answers its probes; empty for nowhere.
	probes string
	// interrupt and options are those of the operators that are run from now on; both may be nil.
	interrupt func(*http.Request) *http.Response
	options   func(*controllers.Options)
	// config is that of the operators' user; nil for the one with the rights that config/ gives.
	config *rest.Config
}

// start runs an operator until the test ends, in a namespace of its own.
func start(t *testing.T) *system {
	t.Helper()
	s := alone(t)
	s.run(nil)
	return s
}

// alone is a namespace without an operator.
func alone(t *testing.T) *system {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "test-", Annotations: map[string]string{testAnnotation: t.Name()},
	}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, namespace: namespace.Name, fleet: newFleet(t, namespace.Name)}
	t.Cleanup(s.clear)
	return s
}

// run starts an operator; the one before it must have been stopped.
func (s *system) run(customMetrics *controllers.CustomMetrics) {
	s.t.Helper()
	s.recorder = &recorder{interrupt: s.interrupt}
	config := rest.CopyConfig(cmp.Or(s.config, managerConfig))
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		s.next = next
		return s.recorder
	}
	options := controllers.Options{
		Gateway:        render.GatewaySettings{Image: "gateway:test"},
		ProbeAddress:   cmp.Or(s.probes, "0"),
		MetricsAddress: "0",
		CustomMetrics:  customMetrics,
		PodAddress:     s.fleet.address,
		Logger:         testr.New(s.t),
		ConfigPause:    time.Millisecond, // tests do not wait for it, but for what they are about
	}
	if s.options != nil {
		s.options(&options)
	}
	manager, err := controllers.NewManager(config, options)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("operator: %v", err)
		}
	})
	s.t.Cleanup(s.stop)
}

// clear removes the services, so that the next test's operator has nothing to do for them.
func (s *system) clear() { s.clearOf(client.InNamespace(s.namespace)) }

func (s *system) clearOf(namespace client.InNamespace) {
	ctx := context.Background()
	if err := api.DeleteAllOf(ctx, &v1alpha1.LLMService{}, namespace); err != nil {
		s.t.Error(err)
	}
	if err := leftovers(ctx, namespace); err != nil {
		s.t.Error(err)
	}
}

// create makes a service, changed from one with an upstream, a model and two replicas.
func (s *system) create(name string, changes ...func(*v1alpha1.LLMService)) *v1alpha1.LLMService {
	s.t.Helper()
	service := &v1alpha1.LLMService{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: v1alpha1.LLMServiceSpec{
			Replicas: new(int32(2)),
			Upstreams: []v1alpha1.Upstream{{
				Name: "fast", Type: "OpenAI", OpenAI: &v1alpha1.OpenAIUpstream{Model: "m1"},
				Endpoints: []v1alpha1.Endpoint{{URL: "http://model.test.svc/v1"}},
			}},
			Models: []v1alpha1.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		},
	}
	for _, change := range changes {
		change(service)
	}
	if err := api.Create(s.t.Context(), service); err != nil {
		s.t.Fatal(err)
	}
	return service
}

// edit changes the spec of a service that others write too.
func (s *system) edit(service *v1alpha1.LLMService, change func(*v1alpha1.LLMService)) {
	s.t.Helper()
	edit(s.t, service, func() { change(service) })
}

// edit changes any object, again if somebody else was faster.
func edit(t *testing.T, object client.Object, change func()) {
	t.Helper()
	eventually(t, "edit "+object.GetName(), func() error {
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change()
		return api.Update(t.Context(), object)
	})
}

func model(name string) func(*v1alpha1.LLMService) {
	return func(service *v1alpha1.LLMService) { service.Spec.Upstreams[0].OpenAI.Model = name }
}

func replicas(n int32) func(*v1alpha1.LLMService) {
	return func(service *v1alpha1.LLMService) { service.Spec.Replicas = &n }
}

func scaling(metrics ...v1alpha1.Metric) func(*v1alpha1.LLMService) {
	return func(service *v1alpha1.LLMService) {
		service.Spec.Scaling = &v1alpha1.Scaling{MinReplicas: 1, MaxReplicas: 5, Metrics: metrics}
	}
}

var inFlight = v1alpha1.Metric{Name: "streams", Type: v1alpha1.MetricInFlight, AverageValue: 10}

// awaitCondition waits until the service's condition is STATUS/REASON for its generation, and returns its message.
func (s *system) awaitCondition(service *v1alpha1.LLMService, kind, want string) string {
	s.t.Helper()
	var message string
	eventually(s.t, kind+"="+want, func() error {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(service.Status.Conditions, kind)
		if condition == nil {
			return fmt.Errorf("no condition %s", kind)
		}
		message = condition.Message
		if got := string(condition.Status) + "/" + condition.Reason; got != want || condition.ObservedGeneration != service.Generation {
			return fmt.Errorf("%s=%s for generation %d of %d: %s", kind, got, condition.ObservedGeneration, service.Generation, message)
		}
		return nil
	})
	return message
}

// awaitEvent waits for an event about the service.
func (s *system) awaitEvent(service *v1alpha1.LLMService, reason string) *eventsv1.Event {
	s.t.Helper()
	var found *eventsv1.Event
	eventually(s.t, "event "+reason, func() error {
		var events eventsv1.EventList
		if err := api.List(s.t.Context(), &events, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		for i := range events.Items {
			if events.Items[i].Reason == reason && events.Items[i].Regarding.UID == service.UID {
				found = &events.Items[i]
				return nil
			}
		}
		return fmt.Errorf("%d events, none of them that", len(events.Items))
	})
	return found
}

// settle waits until the operator has reconciled and has been writing nothing for a while.
func (s *system) settle() {
	s.t.Helper()
	quiet := time.Now()
	eventually(s.t, "silence", func() error {
		if writes := s.take(); len(writes) > 0 {
			quiet = time.Now()
			return fmt.Errorf("still writes: %v", writes)
		}
		if since := time.Since(quiet); since < time.Second {
			return fmt.Errorf("silent for %v", since)
		}
		return nil
	})
}

// reconciles counts those of this process.
func reconciles(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			total += metric.GetCounter().GetValue()
		}
	}
	return total
}

// eventually asks until the answer is no error.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// exists reads an object; false if there is none.
func exists(t *testing.T, key client.ObjectKey, object client.Object) bool {
	t.Helper()
	err := api.Get(t.Context(), key, object)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}
