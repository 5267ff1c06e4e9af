package controllers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

// Who follows a leader that was killed looks twice: it finds the last renewal, and then the lease at its end.
func TestTakeoverTakesLessThanTenSeconds(t *testing.T) {
	apart := time.Duration(float64(retryPeriod) * (1 + leaderelection.JitterFactor))
	if worst := leaseDuration + 2*apart; worst >= 9*time.Second {
		t.Errorf("up to %v without a leader", worst)
	}
	// As client-go has it, a leader stops before another begins, and tries more than once.
	if renewDeadline >= leaseDuration || 3*apart > renewDeadline {
		t.Errorf("a leader that tries every %v gives up after %v, and its lease lasts %v", apart, renewDeadline, leaseDuration)
	}
}

// A manager that does not lead has read all that it would reconcile.
func TestStandbyFillsTheCaches(t *testing.T) {
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	caches := &informertest.FakeInformers{Scheme: scheme}
	required, err := requiredKinds(scheme, append(render.Kinds(), render.Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: "test", Version: "v1", Kind: "Ticket"}, Optional: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	waiting := standby{caches, required}
	if waiting.NeedLeaderElection() {
		t.Error("fills them only where it leads")
	}
	if err := waiting.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := 2 // services and pods
	for _, kind := range render.Kinds() {
		if !kind.Optional {
			want++
		}
	}
	if got := len(caches.InformersByGVK); got != want {
		t.Errorf("%d kinds are read, want %d", got, want)
	}
	if _, ok := caches.InformersByGVK[v1alpha1.GroupVersion.WithKind(v1alpha1.Kind)]; !ok {
		t.Error("the services are not")
	}
}

// TestNewsOfGatewaysAreReconciled: what a gateway reports puts its service into the queue; no watch shows it.
func TestNewsOfGatewaysAreReconciled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer gateway.Close()
	caches := &informertest.FakeInformers{}
	pods, err := caches.FakeInformerFor(ctx, &corev1.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	tracker := load.NewTracker(GatewayPods(), nil)
	poller := load.NewPoller(tracker, caches, func(*corev1.Pod) string { return gateway.Listener.Addr().String() })
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	source := news{tracker, poller}
	if err := source.Start(ctx, queue); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- poller.Start(ctx) }()
	if err := source.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, queue.ShutDown)
	told := pod("a")
	told.Labels = map[string]string{render.LabelName: render.GatewayName, render.LabelInstance: "assistant"}
	told.Status.PodIP = "127.0.0.1"
	pods.Add(&told)
	if request, _ := queue.Get(); request.Namespace != "team-a" || request.Name != "assistant" {
		t.Errorf("%q is reconciled", request)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
