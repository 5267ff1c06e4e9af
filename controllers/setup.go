package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// concurrency is how many services are reconciled at once; one that waits for the API server delays no other.
	concurrency = 8
	// reconcileTimeout bounds one reconcile.
	reconcileTimeout = 30 * time.Second
	// Retries begin at once, since most failures are conflicts with a newer view, and never get rarer than this.
	firstRetry = 50 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// NewScheme returns the scheme of every kind that the operator reads or writes.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), apiregistrationv1.AddToScheme(scheme))
	if err != nil {
		return nil, fmt.Errorf("build the scheme: %w", err)
	}
	return scheme, nil
}

// CacheOptions limit the caches to the operator's own objects in the namespaces, or in all if there are none, and to what it reads
// of them.
func CacheOptions(namespaces []string) cache.Options {
	options := cache.Options{DefaultTransform: cached.Keep, NewInformer: cached.NewInformer}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// requiredKinds makes an empty object of each kind that every cluster has.
func requiredKinds(scheme *runtime.Scheme, table render.Table) ([]client.Object, error) {
	var objects []client.Object
	for _, kind := range table {
		if kind.Optional {
			continue
		}
		object, err := objectOf(scheme, kind.GroupVersionKind)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// GatewayPods says which pods are gateways, and of which service.
func GatewayPods() load.Selection {
	return load.Selection{
		Container: render.ContainerName,
		Service:   func(pod *corev1.Pod) (types.NamespacedName, bool) { return serviceOf(pod) },
	}
}

func serviceOf(object client.Object) (types.NamespacedName, bool) {
	of := object.GetLabels()
	name := types.NamespacedName{Namespace: object.GetNamespace(), Name: of[render.LabelInstance]}
	return name, of[render.LabelName] == render.GatewayName && name.Name != ""
}

// serviceIndex is the caches' index by the name of the service that an object belongs to.
const serviceIndex = "service"

// servicesOf names the service, in the object's namespace, that a pod, a child, or what a deleted service left behind belongs to.
func servicesOf(object client.Object) []string {
	owner := metav1.GetControllerOf(object)
	_, isPod := object.(*corev1.Pod)
	switch {
	case cached.IsService(owner):
		return []string{owner.Name}
	case isPod, owner == nil && cached.Made(object):
		if service, ok := serviceOf(object); ok {
			return []string{service.Name}
		}
	}
	return nil
}

// SetupWithManager has the manager run the reconciler, with what the gateways say among its events, and fill the caches that
// it reads in every replica.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, tracker *load.Tracker, poller *load.Poller) error {
	required, err := requiredKinds(manager.GetScheme(), r.Children)
	if err != nil {
		return err
	}
	if err := manager.Add(standby{manager.GetCache(), required}); err != nil {
		return fmt.Errorf("add the filling of the caches: %w", err)
	}
	builder := ctrl.NewControllerManagedBy(manager).
		For(&v1alpha1.LLMService{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(requestsOf)).
		WatchesRawSource(news{tracker, poller}).
		WatchesRawSource(indexes(manager, slices.Concat(required, []client.Object{&corev1.Pod{}}))).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			ReconciliationTimeout:   reconcileTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	if r.rollouts != nil {
		builder.WatchesRawSource(r.rollouts)
	}
	for _, child := range required {
		builder.Owns(child)
	}
	if len(required) < len(r.Children) {
		watcher, err := newKindWatcher(manager, &r.optional, r.Children, r.Namespaces)
		if err != nil {
			return err
		}
		builder.WatchesRawSource(firstLook{watcher})
		if err := manager.Add(watcher); err != nil {
			return fmt.Errorf("add the watcher of optional kinds: %w", err)
		}
	}
	if err := builder.Complete(r); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// indexes makes the index of the kinds before the first reconcile. A kind that is indexed before the manager starts is one that
// the manager reads before it serves anything: if it cannot be read, there are no metrics either, and a manager that is stopped
// while it waits for the first reading does not end.
func indexes(manager ctrl.Manager, kinds []client.Object) source.Source {
	return source.Func(func(ctx context.Context, _ requestQueue) error {
		for _, kind := range kinds {
			if err := manager.GetFieldIndexer().IndexField(ctx, kind, serviceIndex, servicesOf); err != nil {
				return fmt.Errorf("index %T: %w", kind, err)
			}
		}
		return nil
	})
}

// requestsOf asks for the service that an object belongs to.
func requestsOf(_ context.Context, object client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range servicesOf(object) {
		requests = append(requests, reconcile.Request{
			NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name},
		})
	}
	return requests
}

// news puts services into the queue as the tracker hears from their gateways, once all were heard.
type news struct {
	tracker *load.Tracker
	poller  *load.Poller
}

var _ source.SyncingSource = news{}

// Start implements source.Source.
func (n news) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	n.tracker.Subscribe(func(service types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: service}) })
	return nil
}

// WaitForSync implements source.SyncingSource: no reconcile begins before it.
func (n news) WaitForSync(ctx context.Context) error { return n.poller.WaitForSync(ctx) }

// standby fills the caches of a manager that does not lead, so that it can begin at once when it follows a leader. It waits for
// nothing, so that a kind that cannot be read does not hold up the others.
type standby struct {
	caches cache.Cache
	kinds  []client.Object
}

// NeedLeaderElection says that every manager replica does.
func (standby) NeedLeaderElection() bool { return false }

// Start has each kind read that the reconciler reads.
func (s standby) Start(ctx context.Context) error {
	for _, kind := range append(s.kinds, &v1alpha1.LLMService{}, &corev1.Pod{}) {
		if _, err := s.caches.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			log.FromContext(ctx).V(1).Info("Cannot fill a cache yet", "kind", fmt.Sprintf("%T", kind), "error", err.Error())
		}
	}
	return nil
}
