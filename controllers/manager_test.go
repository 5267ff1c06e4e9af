package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"

	"github.com/llmservice/llmservice/api/v1alpha1"
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
	if got, want := len(caches.InformersByGVK), len(render.Kinds())+2; got != want {
		t.Errorf("%d kinds are read, want %d", got, want)
	}
	if _, ok := caches.InformersByGVK[v1alpha1.GroupVersion.WithKind(v1alpha1.Kind)]; !ok {
		t.Error("the services are not")
	}
}
