package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
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

// CacheOptions limit the caches to the operator's own objects, and to what it reads of them, so that its memory grows with
// its work and not with the cluster.
func CacheOptions() cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{render.LabelManagedBy: render.ManagedBy})}
	byObject := map[client.Object]cache.ByObject{&corev1.Pod{}: ours}
	for _, child := range childKinds() {
		byObject[child] = ours
	}
	return cache.Options{ByObject: byObject, DefaultTransform: cached.Keep, NewInformer: cached.NewInformer}
}

func childKinds() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &corev1.Service{}, &policyv1.PodDisruptionBudget{},
		&appsv1.Deployment{}, &autoscalingv2.HorizontalPodAutoscaler{},
	}
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

// SetupWithManager has the manager run the reconciler, with what the gateways say among its events.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, tracker *load.Tracker, poller *load.Poller) error {
	builder := ctrl.NewControllerManagedBy(manager).
		For(&v1alpha1.LLMService{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(requestsOf)).
		WatchesRawSource(news{tracker, poller}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			ReconciliationTimeout:   reconcileTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	for _, child := range childKinds() {
		builder.Owns(child)
	}
	if err := builder.Complete(r); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

func requestsOf(_ context.Context, object client.Object) []reconcile.Request {
	if service, ok := serviceOf(object); ok {
		return []reconcile.Request{{NamespacedName: service}}
	}
	return nil
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

// standby fills the caches of a manager that does not lead: who follows a leader begins at once. It waits for nothing, so
// that a kind that cannot be read holds up nothing else.
type standby struct{ caches cache.Cache }

// NeedLeaderElection says that every manager replica does.
func (standby) NeedLeaderElection() bool { return false }

// Start has each kind read that the reconciler reads.
func (s standby) Start(ctx context.Context) error {
	for _, kind := range append(childKinds(), &v1alpha1.LLMService{}, &corev1.Pod{}) {
		if _, err := s.caches.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			log.FromContext(ctx).V(1).Info("Cannot fill a cache yet", "kind", fmt.Sprintf("%T", kind), "error", err.Error())
		}
	}
	return nil
}
