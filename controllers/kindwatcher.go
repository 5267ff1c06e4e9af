package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// discoveryInterval is how often the operator looks which of the optional kinds the cluster has.
	discoveryInterval = 10 * time.Second
	// discoveryTimeout bounds one look, and the first reading of a kind that has appeared.
	discoveryTimeout = 5 * time.Second
)

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// kindWatcher begins to watch each optional kind when the cluster has it, and ends when it has it no longer. Either has all
// services reconciled.
type kindWatcher struct {
	*optionalKinds

	manager   ctrl.Manager
	discovery discovery.ServerResourcesInterfaceWithContext
	optional  []schema.GroupVersionKind
	// namespaces are those that are watched; one without a name for all.
	namespaces []string
	queues     chan requestQueue
	// looked is closed after the first look.
	looked chan struct{}
}

func newKindWatcher(
	manager ctrl.Manager, known *optionalKinds, table render.Table, namespaces []string,
) (*kindWatcher, error) {
	discovers, err := discovery.NewDiscoveryClientForConfigAndClient(manager.GetConfig(), manager.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up discovery: %w", err)
	}
	w := &kindWatcher{optionalKinds: known, manager: manager, discovery: discovers, namespaces: namespaces}
	if len(namespaces) == 0 {
		w.namespaces = []string{metav1.NamespaceAll}
	}
	for _, kind := range table {
		if kind.Optional {
			w.optional = append(w.optional, kind.GroupVersionKind)
		}
	}
	w.queues, w.looked = make(chan requestQueue, 1), make(chan struct{})
	return w, nil
}

// firstLook is the source that gives the watcher the controller's queue. No service is reconciled before the first look at every
// kind has ended: a status that says that a kind is not known would be written, and then the one that stood there before.
type firstLook struct{ *kindWatcher }

// Start implements source.Source.
func (f firstLook) Start(_ context.Context, queue requestQueue) error {
	f.queues <- queue
	return nil
}

// WaitForSync implements source.SyncingSource. Each kind bounds its look, and the cluster may have none of them.
func (f firstLook) WaitForSync(ctx context.Context) error {
	select {
	case <-f.looked:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
		return fmt.Errorf("look for the optional kinds: %w", ctx.Err())
	}
}

func (f firstLook) String() string { return "optional kinds" }

// Start implements manager.Runnable.
func (w *kindWatcher) Start(ctx context.Context) error {
	select {
	case queue := <-w.queues:
		looked := sync.OnceFunc(func() { close(w.looked) })
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			w.look(ctx, queue)
			looked()
		}, discoveryInterval)
	case <-ctx.Done():
	}
	return nil
}

func (w *kindWatcher) look(ctx context.Context, queue requestQueue) {
	for _, kind := range w.optional {
		installed, err := w.installed(ctx, kind)
		switch {
		case err != nil:
		case installed && !w.has(kind):
			err = w.tryWatch(ctx, kind, queue)
		case !installed && w.has(kind):
			err = errors.Join(w.endWatch(ctx, kind, queue), w.isMissing(ctx, kind, queue, absent(kind)))
		case !installed:
			err = w.isMissing(ctx, kind, queue, absent(kind))
		}
		if err != nil {
			w.manager.GetLogger().Error(err, "An optional kind is looked for again later", "kind", kind.String())
		}
	}
}

func absent(kind schema.GroupVersionKind) string {
	return fmt.Sprintf("The cluster has no %s: install its CustomResourceDefinition", describeKind(kind))
}

// isMissing has services say why they lack their objects of a kind.
func (w *kindWatcher) isMissing(ctx context.Context, kind schema.GroupVersionKind, queue requestQueue, why string) error {
	if !w.miss(kind, why) {
		return nil
	}
	return w.enqueueAll(ctx, queue)
}

// tryWatch begins to watch a kind if the operator has the right to read it: otherwise each try would wait in vain, and log nothing
// of the reason.
func (w *kindWatcher) tryWatch(ctx context.Context, kind schema.GroupVersionKind, queue requestQueue) error {
	err := w.tryRead(ctx, kind)
	if apierrors.IsForbidden(err) {
		why := fmt.Sprintf("The operator has no right to read %s: its role is of another release, or was changed", describeKind(kind))
		return errors.Join(err, w.isMissing(ctx, kind, queue, why))
	}
	if err != nil {
		return fmt.Errorf("read a kind: %w", err)
	}
	return w.beginWatch(ctx, kind, queue)
}

// tryRead asks for one object in each namespace.
func (w *kindWatcher) tryRead(ctx context.Context, kind schema.GroupVersionKind) error {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	one := &metav1.PartialObjectMetadataList{}
	one.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for _, namespace := range w.namespaces {
		if err := w.manager.GetAPIReader().List(ctx, one, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return err //nolint:wrapcheck // the caller looks at its kind, and wraps it
		}
	}
	return nil
}

// installed asks the API server whether it serves the kind.
func (w *kindWatcher) installed(ctx context.Context, kind schema.GroupVersionKind) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	resources, err := w.discovery.ServerResourcesForGroupVersionWithContext(ctx, kind.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("discover %s: %w", kind.GroupVersion(), err)
	}
	for i := range resources.APIResources {
		if resources.APIResources[i].Kind == kind.Kind {
			return true, nil
		}
	}
	return false, nil
}

// beginWatch reads all objects of the kind, and has its changes and then all services put into the queue.
func (w *kindWatcher) beginWatch(ctx context.Context, kind schema.GroupVersionKind, queue requestQueue) error {
	object, err := objectOf(w.manager.GetScheme(), kind)
	if err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	if err := w.read(watching, object, queue); err != nil {
		end()
		return errors.Join(err, w.manager.GetCache().RemoveInformer(ctx, object))
	}
	w.add(kind, end)
	w.manager.GetLogger().Info("The cluster has an optional kind", "kind", kind.String())
	return w.enqueueAll(ctx, queue)
}

func (w *kindWatcher) read(ctx context.Context, object client.Object, queue requestQueue) error {
	if err := w.manager.GetFieldIndexer().IndexField(ctx, object, serviceIndex, servicesOf); err != nil {
		return fmt.Errorf("index a kind: %w", err)
	}
	events := source.Kind(w.manager.GetCache(), object, handler.EnqueueRequestsFromMapFunc(requestsOf))
	if err := events.Start(ctx, queue); err != nil {
		return fmt.Errorf("watch a kind: %w", err)
	}
	bounded, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	if err := events.WaitForSync(bounded); err != nil {
		return fmt.Errorf("read a kind: %w", err)
	}
	return nil
}

// endWatch drops the objects of a kind that is gone, so that the API server is no longer asked for it.
func (w *kindWatcher) endWatch(ctx context.Context, kind schema.GroupVersionKind, queue requestQueue) error {
	w.drop(kind)
	w.manager.GetLogger().Info("The cluster has lost an optional kind", "kind", kind.String())
	object, err := objectOf(w.manager.GetScheme(), kind)
	if err != nil {
		return err
	}
	return errors.Join(w.manager.GetCache().RemoveInformer(ctx, object), w.enqueueAll(ctx, queue))
}

func (w *kindWatcher) enqueueAll(ctx context.Context, queue requestQueue) error {
	var services v1alpha1.LLMServiceList
	if err := w.manager.GetClient().List(ctx, &services, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list all services: %w", err)
	}
	for i := range services.Items {
		queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&services.Items[i])})
	}
	return nil
}
