package controllers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
)

// BenchmarkSettled is what reconciling 1,000 settled services costs, each of which had an event of a pod. The services are
// the samples of config/samples, and all that is read is in memory, as it is in the caches of a manager.
func BenchmarkSettled(b *testing.B) {
	const services = 1000
	shelf, keys := newShelf(b), make([]types.NamespacedName, services)
	samples := sampleServices(b)
	for i := range keys {
		service := samples[i%len(samples)].DeepCopy()
		service.Namespace, service.UID, service.Generation = fmt.Sprint("team-", i/10), types.UID(fmt.Sprint("u", i)), 1
		service.Name = fmt.Sprintf("%s-%d", service.Name, i)
		keys[i] = client.ObjectKeyFromObject(service)
		shelf.put(service, "")
		shelf.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name + "-pod", UID: service.UID, Labels: render.Labels(service),
		}}, service.Name)
	}
	reconciler := &controllers.Reconciler{
		Client: shelf, Uncached: shelf, Now: time.Now, Events: &events.FakeRecorder{},
		Load:     func(types.NamespacedName) load.ServiceLoad { return load.ServiceLoad{} },
		Gateway:  render.GatewaySettings{Image: "gateway:bench"},
		Children: render.Kinds(),
	}
	all := func() {
		for _, key := range keys {
			if _, err := reconciler.Reconcile(b.Context(), reconcile.Request{NamespacedName: key}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 4 { // until they are settled
		all()
	}
	shelf.writes = 0
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		all()
	}
	b.ReportMetric((processorTime(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
	if shelf.writes > 0 {
		b.Errorf("%d writes of settled services", shelf.writes)
	}
}

// processorTime is what the process has had of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func sampleServices(b *testing.B) []*v1alpha1.LLMService {
	b.Helper()
	files, err := filepath.Glob(filepath.Join("..", "config", "samples", "*.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	var services []*v1alpha1.LLMService
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		if !strings.Contains(string(text), "kind: LLMService") {
			continue
		}
		service, err := manifest.Load(b.Context(), text)
		if err != nil {
			b.Fatalf("%s: %v", file, err)
		}
		services = append(services, service)
	}
	return services
}

// shelf has objects in memory, and gives copies of them as a cache does.
type shelf struct {
	client.Client

	scheme *runtime.Scheme
	// objects are by kind and key; of are those that belong to a service.
	objects map[schema.GroupVersionKind]map[types.NamespacedName]client.Object
	of      map[schema.GroupVersionKind]map[types.NamespacedName][]client.Object
	// writes counts those to come; version is the latest of a resource.
	writes, version int
}

func newShelf(b testing.TB) *shelf {
	b.Helper()
	scheme, err := controllers.NewScheme()
	if err != nil {
		b.Fatal(err)
	}
	return &shelf{
		scheme:  scheme,
		objects: map[schema.GroupVersionKind]map[types.NamespacedName]client.Object{},
		of:      map[schema.GroupVersionKind]map[types.NamespacedName][]client.Object{},
	}
}

func (s *shelf) Scheme() *runtime.Scheme { return s.scheme }

func (s *shelf) put(object client.Object, service string) {
	kind, err := apiutil.GVKForObject(object, s.scheme)
	if err != nil {
		panic(err)
	}
	if s.objects[kind] == nil {
		s.objects[kind], s.of[kind] = map[types.NamespacedName]client.Object{}, map[types.NamespacedName][]client.Object{}
	}
	key := client.ObjectKeyFromObject(object)
	of := types.NamespacedName{Namespace: object.GetNamespace(), Name: service}
	if at := slices.IndexFunc(s.of[kind][of], func(o client.Object) bool { return o.GetName() == object.GetName() }); at >= 0 {
		s.of[kind][of][at] = object
	} else {
		s.of[kind][of] = append(s.of[kind][of], object)
	}
	s.version++
	object.SetResourceVersion(fmt.Sprint(s.version))
	s.objects[kind][key] = object
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind, err := apiutil.GVKForObject(into, s.scheme)
	if err != nil {
		return err
	}
	known := s.objects[kind][key]
	if known == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: kind.Kind}, key.Name)
	}
	if partial, ok := into.(*metav1.PartialObjectMetadata); ok {
		partial.ResourceVersion = known.GetResourceVersion()
		return nil
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(known.DeepCopyObject()).Elem())
	return nil
}

func (s *shelf) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	kind, err := apiutil.GVKForObject(list, s.scheme)
	if err != nil {
		return err
	}
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	var asked client.ListOptions
	asked.ApplyOptions(options)
	var name string
	if asked.FieldSelector != nil {
		name, _ = asked.FieldSelector.RequiresExactMatch("service")
	} else {
		name, _ = asked.LabelSelector.RequiresExactMatch(render.LabelInstance)
	}
	var items []runtime.Object
	for _, object := range s.of[kind][types.NamespacedName{Namespace: asked.Namespace, Name: name}] {
		items = append(items, object.DeepCopyObject())
	}
	return meta.SetList(list, items)
}

// Apply keeps what is applied as a whole.
func (s *shelf) Apply(_ context.Context, applied runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	s.writes++
	encoded, err := json.Marshal(applied)
	if err != nil {
		return err
	}
	var kind metav1.TypeMeta
	if err := json.Unmarshal(encoded, &kind); err != nil {
		return err
	}
	object, err := s.scheme.New(kind.GroupVersionKind())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(encoded, object); err != nil {
		return err
	}
	child, ok := object.(client.Object)
	if !ok {
		return errors.New("not an object")
	}
	child.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: controllers.FieldOwner, Operation: metav1.ManagedFieldsOperationApply}})
	child.SetUID(types.UID(child.GetName()))
	child.SetGeneration(1)
	s.put(child, child.GetOwnerReferences()[0].Name)
	return nil
}

func (s *shelf) Status() client.SubResourceWriter { return statuses{shelf: s} }

type statuses struct {
	client.SubResourceWriter

	shelf *shelf
}

func (s statuses) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	s.shelf.writes++
	updated, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return errors.New("not an object")
	}
	s.shelf.put(updated, "")
	return nil
}
