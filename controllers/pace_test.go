package controllers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// edited is a service that is edited while virtual time passes, and reconciled as the operator's queue would have it.
type edited struct {
	*shelf

	t          *testing.T
	key        types.NamespacedName
	reconciler *controllers.Reconciler
	// ahead is how far the operator's clock is ahead.
	ahead time.Duration
	// again is when the service is looked at again without an event; zero for never.
	again time.Time
	// written are the times at which the ConfigMap changed.
	written []time.Time
}

func newEdited(t *testing.T) *edited {
	t.Helper()
	e := &edited{shelf: newShelf(t), t: t}
	text, err := os.ReadFile(filepath.Join("..", "config", "samples", "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	service, err := manifest.Load(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	service.Namespace, service.UID, service.Generation = "team-a", "u1", 1
	e.key = client.ObjectKeyFromObject(service)
	e.put(service, "")
	e.reconciler = &controllers.Reconciler{
		Client: e.shelf, Uncached: e.shelf, Now: func() time.Time { return time.Now().Add(e.ahead) }, Events: &events.FakeRecorder{},
		Load:     func(types.NamespacedName) load.ServiceLoad { return load.ServiceLoad{} },
		Gateway:  render.GatewaySettings{Image: "gateway:test"},
		Children: render.Kinds(),
	}
	e.reconcile()
	if e.delivered() == "" {
		t.Fatal("a new service has no config")
	}
	return e
}

// reconcile looks at the service now, and notes a ConfigMap that has changed.
func (e *edited) reconcile() {
	e.t.Helper()
	before := e.delivered()
	result, err := e.reconciler.Reconcile(e.t.Context(), reconcile.Request{NamespacedName: e.key})
	if err != nil {
		e.t.Fatal(err)
	}
	e.again = time.Time{}
	if result.RequeueAfter > 0 {
		e.again = time.Now().Add(result.RequeueAfter)
	}
	if e.delivered() != before {
		e.written = append(e.written, time.Now())
	}
}

// pass has time pass, in which the queue's own reconciles happen.
func (e *edited) pass(d time.Duration) {
	e.t.Helper()
	for until := time.Now().Add(d); ; {
		if e.again.IsZero() || e.again.After(until) {
			time.Sleep(time.Until(until))
			return
		}
		time.Sleep(time.Until(e.again))
		e.reconcile()
	}
}

// edit changes the model, which is an event.
func (e *edited) edit(model string) {
	e.t.Helper()
	var service v1alpha1.LLMService
	if err := e.Get(e.t.Context(), e.key, &service); err != nil {
		e.t.Fatal(err)
	}
	service.Generation++
	service.Spec.Upstreams[0].OpenAI.Model = model
	e.put(&service, "")
	e.reconcile()
}

// delivered is the current config; empty if there is none.
func (e *edited) delivered() string {
	var documents corev1.ConfigMap
	key := types.NamespacedName{Namespace: e.key.Namespace, Name: delivery.ConfigMapName(e.key.Name)}
	if err := e.Get(e.t.Context(), key, &documents); err != nil {
		return ""
	}
	return documents.Data[delivery.CurrentKey]
}

// TestManyEditsAreFewConfigs makes 50 edits in 10 s. The first goes out at once, and the last one 1.25 s after it was made, at the latest.
func TestManyEditsAreFewConfigs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdited(t)
		e.pass(time.Minute)
		e.written = nil
		first := time.Now()
		var last time.Time
		for i := range 50 {
			last = time.Now()
			e.edit(fmt.Sprint("m", i+1))
			e.pass(200 * time.Millisecond)
		}
		e.pass(time.Minute)
		if n := len(e.written); n == 0 || n > 10 {
			t.Fatalf("the ConfigMap was written %d times, want at most 10", n)
		}
		if !e.written[0].Equal(first) {
			t.Errorf("the first edit went out after %v, want at once", e.written[0].Sub(first))
		}
		if late := e.written[len(e.written)-1].Sub(last); late > 1250*time.Millisecond {
			t.Errorf("the last edit went out after %v", late)
		}
		if want := `"model":"m50"`; !strings.Contains(e.delivered(), want) {
			t.Errorf("delivered is %s, want one with %s", e.delivered(), want)
		}
		var service v1alpha1.LLMService
		if err := e.Get(t.Context(), e.key, &service); err != nil {
			t.Fatal(err)
		}
		if service.Status.ObservedGeneration != service.Generation {
			t.Errorf("the status is of generation %d of %d", service.Status.ObservedGeneration, service.Generation)
		}
	})
}

// TestASingleEditDoesNotWait: nor does one that comes after the operator's clock was set back.
func TestASingleEditDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdited(t)
		for i, behind := range []time.Duration{0, 0, time.Hour} {
			e.pass(2 * time.Second)
			e.ahead, e.written = -behind, nil
			e.edit(fmt.Sprint("m", i+1))
			if len(e.written) != 1 {
				t.Errorf("edit %d is written %d times at once, want once", i+1, len(e.written))
			}
		}
	})
}
