package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// gateway answers for its status on loopback.
type gateway struct {
	server *httptest.Server

	mu     sync.Mutex
	status report.Status
}

func newGateway(revision string) *gateway {
	g := &gateway{status: report.Status{Version: config.Version, Revision: revision, Source: delivery.CurrentKey}}
	g.server = httptest.NewServer(g)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = json.NewEncoder(w).Encode(g.status)
}

func (g *gateway) revision() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status.Revision
}

func (g *gateway) serve(revision string) {
	g.set(func(s *report.Status) { s.Revision = revision })
}

func (g *gateway) set(change func(*report.Status)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.status)
}

// lists makes an empty list of each kind of child.
var lists = func() map[string]func() client.ObjectList {
	all := map[string]func() client.ObjectList{}
	for _, kind := range childrenHere() {
		all[kind.Kind] = func() client.ObjectList {
			return made(kind.GroupVersion().WithKind(kind.Kind + "List")).(client.ObjectList)
		}
	}
	return all
}()

// made is an empty object of a kind that the operator knows.
func made(kind schema.GroupVersionKind) runtime.Object {
	object, err := api.Scheme().New(kind)
	if err != nil {
		panic(err)
	}
	return object
}

// blank makes an object of a kind of child, or a service, empty but for its name.
func blank(kind, namespace, name string) client.Object {
	of := v1alpha1.GroupVersion.WithKind(v1alpha1.Kind)
	for _, child := range render.Kinds() {
		if child.Kind == kind {
			of = child.GroupVersionKind
		}
	}
	object := made(of).(client.Object)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

func itemsOf(list client.ObjectList) ([]client.Object, error) {
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	objects := make([]client.Object, 0, len(items))
	for _, item := range items {
		objects = append(objects, item.(client.Object))
	}
	return objects, nil
}

// get reads an object; nil if there is none.
func (r *run) get(kind, name string) client.Object {
	object := blank(kind, r.namespace, name)
	err := api.Get(context.Background(), client.ObjectKeyFromObject(object), object)
	if err != nil {
		if !apierrors.IsNotFound(err) {
			r.t.Error(err)
		}
		return nil
	}
	return object
}

// does changes something in the namespace, as people and other programs do, and has the cluster look.
func (r *run) does(what string, change func() error) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.player.stir()
	for {
		err := change()
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			r.t.Errorf("%s: %v", what, err)
			return
		}
	}
}

// create makes a service, changed from one with an upstream, a model and two replicas.
func (r *run) create(name string, changes ...func(*v1alpha1.LLMService)) {
	r.t.Helper()
	service := &v1alpha1.LLMService{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name},
		Spec: v1alpha1.LLMServiceSpec{
			Replicas: new(int32(2)),
			Upstreams: []v1alpha1.Upstream{{
				Name: "fast", Type: "OpenAI", OpenAI: &v1alpha1.OpenAIUpstream{Model: "m1"},
				Endpoints: []v1alpha1.Endpoint{{URL: "http://model.test.svc/v1"}},
			}},
			Models:  []v1alpha1.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
			Runtime: &v1alpha1.Runtime{},
		},
	}
	for _, change := range changes {
		change(service)
	}
	r.does("create "+name, func() error {
		if err := api.Create(context.Background(), service); err != nil {
			return err
		}
		r.rules.asked(service)
		return nil
	})
}

// change edits the spec of a service.
func (r *run) change(name string, changes ...func(*v1alpha1.LLMService)) {
	r.t.Helper()
	r.does("change "+name, func() error {
		service := &v1alpha1.LLMService{}
		if err := api.Get(context.Background(), client.ObjectKey{Namespace: r.namespace, Name: name}, service); err != nil {
			return err
		}
		for _, change := range changes {
			change(service)
		}
		if err := api.Update(context.Background(), service); err != nil {
			return err
		}
		r.rules.asked(service)
		return nil
	})
}

// scale writes the scale subresource, as kubectl does.
func (r *run) scale(name string, n int32) {
	r.t.Helper()
	r.does("scale "+name, func() error { return r.scaleTo(context.Background(), blank("LLMService", r.namespace, name), n) })
}

func (r *run) scaleTo(ctx context.Context, service client.Object, n int32) error {
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: service.GetName()}, Spec: autoscalingv1.ScaleSpec{Replicas: n},
	}
	if err := api.SubResource("scale").Update(ctx, service, client.WithSubResourceBody(scale)); err != nil {
		return err
	}
	scaled := &v1alpha1.LLMService{}
	if err := api.Get(ctx, client.ObjectKeyFromObject(service), scaled); err != nil {
		return err
	}
	r.rules.asked(scaled)
	return nil
}

// remove deletes any object of a service by hand.
func (r *run) remove(kind, name string) {
	r.t.Helper()
	r.does("delete "+kind+" "+name, func() error {
		r.rules.removed(kind, name)
		r.harmed(kind, r.get(kind, name))
		return client.IgnoreNotFound(api.Delete(context.Background(), blank(kind, r.namespace, name),
			client.PropagationPolicy(metav1.DeletePropagationBackground)))
	})
}

// byHand edits a child.
func (r *run) byHand(kind, name string, change func(client.Object)) {
	r.t.Helper()
	r.does("edit "+kind+" "+name, func() error {
		object := r.get(kind, name)
		if object == nil {
			return nil // it was not made yet
		}
		r.rules.touched(kind, object)
		change(object)
		err := api.Update(context.Background(), object)
		r.harmed(kind, object)
		return err
	})
}

// harmed has the undisturbed run wait until the operator does something about a child that is not as it should be: on a busy
// machine silence may come before that. What disturbed runs are compared with would lack its writes.
func (r *run) harmed(kind string, object client.Object) {
	if _, undisturbed := r.fault.(nothing); !undisturbed || r.left || object == nil || metav1.GetControllerOf(object) == nil {
		return
	}
	harmed := version(object)
	r.harm = func() string {
		if now := r.get(kind, object.GetName()); now == nil || version(now) == harmed {
			return fmt.Sprintf("%s %s is as somebody left it", kind, object.GetName())
		}
		return ""
	}
}

// version changes with what the operator writes of an object, and not with its status if it has one.
func version(object client.Object) string {
	if generation := object.GetGeneration(); generation != 0 {
		return fmt.Sprint(object.GetUID(), generation)
	}
	return fmt.Sprint(object.GetUID(), object.GetResourceVersion())
}
