package controllers

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// server is an API server that has objects.
func server(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// TestAViewThatIsRefusedIsReadAgain: the event of a change may be lost. A status that was refused for its version is derived
// anew from what the API server has, and not again and again from what a cache shows.
func TestAViewThatIsRefusedIsReadAgain(t *testing.T) {
	old := serviceWith("http://a.svc/v1")
	old.ResourceVersion, old.Generation = "7", 1
	latest := old.DeepCopy()
	latest.ResourceVersion, latest.Generation = "8", 2
	shown := old
	r := &Reconciler{
		Client: interceptor.NewClient(server(t), interceptor.Funcs{
			Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
				shown.DeepCopyInto(into.(*v1alpha1.LLMService))
				return nil
			},
			SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
				return apierrors.NewConflict(schema.GroupResource{}, "assistant", nil)
			},
		}),
		Uncached: server(t, latest),
	}
	read := func() string {
		var service v1alpha1.LLMService
		if err := r.readService(t.Context(), client.ObjectKeyFromObject(old), &service); err != nil {
			t.Fatal(err)
		}
		return service.ResourceVersion
	}
	if got := read(); got != "7" {
		t.Fatalf("version %s is read, want what the cache shows", got)
	}
	seen := &view{now: moment, service: old}
	if wait, err := r.report(t.Context(), seen, documents{}, outcome{}, acknowledgement{}); err != nil || wait != staleRecheck {
		t.Fatalf("report() = %v, %v", wait, err)
	}
	if got := read(); got != "8" {
		t.Errorf("version %s is read after a conflict, want the API server's", got)
	}
	shown = latest.DeepCopy()
	shown.ResourceVersion = "9"
	if got := read(); got != "9" {
		t.Errorf("version %s is read once the cache moves on, want what it shows", got)
	}
}

// TestWhatNoCacheHasShownIsDeleted: a child that was written, and is not rendered any more, is deleted although its events were
// lost; one that somebody else made in its place is not.
func TestWhatNoCacheHasShownIsDeleted(t *testing.T) {
	service := serviceWith("http://a.svc/v1")
	key := render.AutoscalerKey("assistant")
	for owner, want := range map[types.UID]int{service.UID: 1, "u2": 0} {
		made := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: madeFor(owner).ObjectMeta}
		deleted := 0
		r := &Reconciler{
			Client: interceptor.NewClient(server(t), interceptor.Funcs{
				Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
					deleted++
					return nil
				},
			}),
			Uncached: interceptor.NewClient(server(t, service.DeepCopy()), interceptor.Funcs{
				Get: func(ctx context.Context, api client.WithWatch, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
					if hpa, ok := into.(*autoscalingv2.HorizontalPodAutoscaler); ok {
						made.DeepCopyInto(hpa)
						return nil
					}
					return api.Get(ctx, key, into)
				},
			}),
		}
		seen := &view{service: service}
		seen.put(render.GatewaysKey("assistant"), &appsv1.Deployment{})
		memory := r.memories.of(seen)
		memory.unshown[key], memory.unshown[render.GatewaysKey("assistant")] = true, true
		if err := r.prune(t.Context(), seen, []render.Child{namedChild(render.GatewaysKey("assistant"))}); err != nil {
			t.Fatal(err)
		}
		if deleted != want {
			t.Errorf("of owner %s, %d are deleted, want %d", owner, deleted, want)
		}
		if memory.unshown[render.GatewaysKey("assistant")] {
			t.Error("what a cache shows is still looked for")
		}
	}
}
