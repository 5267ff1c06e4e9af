package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/servingcert"
)

// staleRecheck is how soon a service is looked at again of which only an old version could be read.
const staleRecheck = time.Second

// errGone says that a service is deleted, or about to be.
var errGone = errors.New("the service is gone")

// FieldOwner is the field manager of everything that the operator writes.
const FieldOwner = cached.FieldOwner

// Reconciler makes the cluster match the LLMServices, one at a time.
type Reconciler struct {
	// Client reads from caches that hold the operator's own objects, and writes.
	Client client.Client
	// Uncached reads from the API server: an object that is not ours is in no cache.
	Uncached client.Reader
	// Load returns the status of a service's gateways.
	Load func(types.NamespacedName) load.ServiceLoad
	// MetricsAPI reports whether the HPA controller's questions reach this manager; nil if it serves no metrics.
	MetricsAPI func() servingcert.Registration
	// Gateway is what every gateway runs.
	Gateway render.GatewaySettings
	// Children is the table of what services have.
	Children render.Table
	// Namespaces are those that the caches hold; none for all.
	Namespaces []string
	Events     events.EventRecorder
	// Now is the clock.
	Now func() time.Time
	// ConfigPause is the least time between two configs of a service; zero, as everywhere but in tests, is 1.25 s.
	ConfigPause time.Duration

	// rollouts limits how many services' pods are replaced at a time because the operator wants it; nil for no limit.
	rollouts *rollouts
	memories memories
	compiles compiles
	optional optionalKinds
}

// +kubebuilder:rbac:groups=serving.llmservice.dev,resources=llmservices,verbs=get;list;watch
// +kubebuilder:rbac:groups=serving.llmservice.dev,resources=llmservices/status,verbs=update
// Owner references block the owner's deletion. If the admission plugin that checks them is on, that needs this right.
// +kubebuilder:rbac:groups=serving.llmservice.dev,resources=llmservices/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// The rights to children stand where each is rendered, those to APIServices in config/metricsapi: an operator that serves no
// metrics has none.

// Reconcile observes one service, renders its children, applies what differs and reports. An error is retried with
// backoff; what only time or somebody else can change is looked at again later.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	r.rollouts.begin(request.NamespacedName)
	seen, documents, wait, err := r.look(ctx, request.NamespacedName)
	switch {
	case errors.Is(err, errGone):
		r.rollouts.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	case wait > 0 || err != nil:
		r.rollouts.end(request.NamespacedName, true)
		if err != nil && r.rollouts.lost(request.NamespacedName) {
			r.tellLost(ctx, request.NamespacedName)
		}
		return reconcile.Result{RequeueAfter: wait}, err
	}
	result, err := r.act(ctx, seen, documents)
	r.rollouts.end(request.NamespacedName, err != nil && outdated(err))
	if errors.Is(err, errOutdated) && !apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: staleRecheck}, nil
	}
	return result, err
}

// look observes a service and decides on its documents, or returns how long that has to wait.
func (r *Reconciler) look(ctx context.Context, service types.NamespacedName) (*view, documents, time.Duration, error) {
	seen, err := r.observe(ctx, service)
	switch {
	case apierrors.IsNotFound(err):
		r.memories.forget(service)
		reportedConditions.forget(service)
		return nil, documents{}, 0, errGone
	case err != nil:
		return nil, documents{}, 0, err
	case seen.service.DeletionTimestamp != nil:
		return nil, documents{}, 0, errGone // the garbage collector takes the children
	}
	judged, wait, err := r.judge(ctx, seen)
	if wait > 0 || err != nil {
		return nil, documents{}, wait, err
	}
	return seen, chooseDocuments(seen, judged.document, judged.problem), 0, nil
}

// act applies what differs and reports. It fails with an error that is outdated if the view was too old to say anything of.
func (r *Reconciler) act(ctx context.Context, seen *view, documents documents) (reconcile.Result, error) {
	applied, err := r.converge(ctx, seen, documents)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case apierrors.IsConflict(applied.err), errors.Is(applied.err, errOutdated):
		return reconcile.Result{}, applied.err
	}
	if applied.undelivered || applied.pause != nil {
		documents = deliveredDocuments(seen).because(documents.problem)
	}
	acknowledged := acknowledge(seen, documents.current)
	nudged := r.nudge(ctx, seen, &acknowledged)
	reported, reportErr := r.report(ctx, seen, documents, applied, acknowledged)
	if err := errors.Join(applied.retry(), reportErr); err != nil {
		return reconcile.Result{}, err
	}
	rechecked := r.recheck(seen)
	return reconcile.Result{RequeueAfter: soonest(applied.again(), acknowledged.again, nudged, reported, rechecked)}, nil
}

// render returns no children while there has been no valid config, because a gateway would have nothing to serve; and none
// if the spec that the delivered config belongs to is not known.
func (r *Reconciler) render(seen *view, documents documents) ([]render.Child, error) {
	if documents.current.Revision() == "" || documents.accepted == nil {
		return nil, nil
	}
	children, err := seen.kinds.Children(r.input(seen, documents))
	if err != nil {
		return nil, fmt.Errorf("render the children of %s: %w", client.ObjectKeyFromObject(seen.service), err)
	}
	return children, nil
}

// lacking says why objects of optional kinds that the service wants cannot be made. Of a route, its own condition says so.
func (r *Reconciler) lacking(seen *view, documents documents) []string {
	if documents.accepted == nil {
		return nil
	}
	var all []string
	for _, kind := range r.Children {
		if !kind.Optional || seen.hasKind(kind.GroupVersionKind) || kind.GroupVersionKind == render.RouteKind {
			continue
		}
		if built, err := kind.Build(r.input(seen, documents)); err == nil && len(built) > 0 {
			all = append(all, r.optional.whyMissing(kind.GroupVersionKind))
		}
	}
	return all
}

// input needs documents that were accepted.
func (r *Reconciler) input(seen *view, documents documents) render.Input {
	return render.Input{
		Service:  documents.accepted,
		Current:  documents.current,
		LastGood: documents.lastGood,
		Replicas: seen.wantedReplicas(),
		Gateway:  r.Gateway,
	}
}

// soonest is the shortest of the waits; zero stands for none.
func soonest(waits ...time.Duration) time.Duration {
	var least time.Duration
	for _, wait := range waits {
		if wait > 0 && (least == 0 || wait < least) {
			least = wait
		}
	}
	return least
}
