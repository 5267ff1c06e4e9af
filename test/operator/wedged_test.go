package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/apiserver"
)

// wedge keeps an operator from reconciling until it is healed.
type wedge struct {
	healed chan struct{}
	// stuck counts what came to nothing so far.
	stuck atomic.Int64
}

// await is what somebody does who waits for what the wedge holds.
func (w *wedge) await(done <-chan struct{}) {
	w.stuck.Add(1)
	select {
	case <-w.healed:
	case <-done:
	}
}

func (w *wedge) isHealed() bool {
	select {
	case <-w.healed:
		return true
	default:
		return false
	}
}

// clock is the reconciler's, which looks at it at each reconcile.
func clock(look func()) func(*controllers.Options) {
	return func(o *controllers.Options) {
		o.Now = func() time.Time {
			look()
			return time.Now()
		}
	}
}

// Whatever keeps an operator from reconciling, the HPA controller's questions are answered with what gateways say now, and the
// probes succeed: a pod that is restarted, or that the Service leads to no more, would take the metrics of all services along.
func TestTheMetricsAPIOutlivesReconciling(t *testing.T) {
	const workers = 8 // reconcile at once
	tests := []struct {
		name string
		// least is how often the wedge must have struck: once for each worker, where it takes one.
		least    int64
		options  func(*wedge) func(*controllers.Options)
		requests func(*wedge, *http.Request) *http.Response
	}{
		{name: "reconciles that do not end", least: workers, options: func(w *wedge) func(*controllers.Options) {
			return clock(func() { w.await(nil) })
		}},
		{name: "reconciles that panic", least: 3 * workers, options: func(w *wedge) func(*controllers.Options) {
			return clock(func() {
				if !w.isHealed() {
					w.stuck.Add(1)
					panic("by the test")
				}
			})
		}},
		{name: "writes that hang", least: workers, requests: func(w *wedge, sent *http.Request) *http.Response {
			if sent.Method == http.MethodGet || strings.Contains(sent.URL.Path, "/apiservices/") || w.isHealed() {
				return nil
			}
			w.await(sent.Context().Done())
			return refused(sent, http.StatusGatewayTimeout)
		}},
		{name: "a kind that cannot be read", least: 3, requests: func(w *wedge, sent *http.Request) *http.Response {
			if sent.Method != http.MethodGet || !strings.HasSuffix(sent.URL.Path, "/deployments") || w.isHealed() {
				return nil
			}
			w.stuck.Add(1)
			return refused(sent, http.StatusForbidden)
		}},
		{name: "another one leads", options: func(*wedge) func(*controllers.Options) {
			return func(o *controllers.Options) { o.LeaderElection, o.Namespace = true, apiserver.Namespace }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := alone(t)
			s.probes = fmt.Sprintf("127.0.0.1:%d", freePort(t))
			w := &wedge{healed: make(chan struct{})}
			heal := sync.OnceFunc(func() { close(w.healed) })
			if tt.options != nil {
				s.options = tt.options(w)
			}
			if tt.requests != nil {
				s.interrupt = func(sent *http.Request) *http.Response { return tt.requests(w, sent) }
			}
			release := lead(t) // which only a manager notices that asks for the Lease
			service := s.create("assistant", scaling(inFlight))
			for i := range workers {
				s.create(fmt.Sprintf("another-%d", i))
			}
			gateway := s.fleet.pod(service, "assistant-a", "r1")
			s.runWithMetrics(s.aggregate("metrics"))
			t.Cleanup(heal) // before the operator is stopped, which waits for its reconciles
			eventually(t, "a wedged operator", func() error {
				if n := w.stuck.Load(); n < tt.least {
					return fmt.Errorf("stuck %d times, want %d", n, tt.least)
				}
				return nil
			})
			for _, n := range []int64{7, 42} {
				gateway.set(func(status *report.Status) { status.InFlight = n })
				s.awaitInFlight(service, n)
				s.checkProbes()
			}
			if revision := s.fleet.delivered(service); revision != "" {
				t.Fatalf("revision %s was delivered: nothing was wedged", revision)
			}
			release()
			heal()
			s.fleet.awaitDelivery(service, "")
		})
	}
}

// A manager waits for the first reading of no kind before it can be stopped.
func TestAManagerThatCannotReadEndsWhenStopped(t *testing.T) {
	for _, kind := range []string{"pods", "deployments", "llmservices"} {
		t.Run(kind, func(t *testing.T) {
			s := alone(t)
			var refusals atomic.Int64
			s.interrupt = func(sent *http.Request) *http.Response {
				if sent.Method != http.MethodGet || !strings.HasSuffix(sent.URL.Path, "/"+kind) {
					return nil
				}
				refusals.Add(1)
				return refused(sent, http.StatusForbidden)
			}
			s.run(nil)
			eventually(t, "a reading", func() error {
				if refusals.Load() == 0 {
					return errors.New("nobody has read " + kind)
				}
				return nil
			})
			s.stop() // and waits for the end
		})
	}
}

// lead has somebody hold the Lease that managers of one installation compete for, until release is called.
func lead(t *testing.T) (release func()) {
	t.Helper()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: apiserver.Namespace, Name: "llmservice-manager"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), RenewTime: new(metav1.NowMicro()), AcquireTime: new(metav1.NowMicro()),
		},
	}
	// A manager that has ended leaves its Lease.
	if err := client.IgnoreNotFound(api.Delete(t.Context(), lease.DeepCopy())); err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := api.Delete(context.Background(), lease); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}

// awaitInFlight waits until the HPA controller would be told so many requests in flight.
func (s *system) awaitInFlight(service *v1alpha1.LLMService, want int64) {
	s.t.Helper()
	kind := v1alpha1.GroupVersion.WithKind(v1alpha1.Kind).GroupKind()
	eventually(s.t, "inflight", func() error {
		value, err := s.metricsClient().NamespacedMetrics(s.namespace).GetForObject(kind, service.Name, render.MetricInFlight, labels.Everything())
		if err != nil {
			return err
		}
		if got := value.Value.Value(); got != want {
			return fmt.Errorf("%d, want %d", got, want)
		}
		return nil
	})
}

// checkProbes asks what the kubelet asks.
func (s *system) checkProbes() {
	s.t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		eventually(s.t, path, func() error {
			response, err := (&http.Client{Timeout: time.Second}).Get("http://" + s.probes + path)
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != http.StatusOK {
				return errors.New(response.Status)
			}
			return nil
		})
	}
}
