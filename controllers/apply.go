package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/rollout"
)

const (
	// conflictRecheck is how soon an object that holds a child's name is looked at again: it is in no cache.
	conflictRecheck = 30 * time.Second
	// leftoverRecheck is how soon a child of a deleted service of the same name is looked at again.
	leftoverRecheck = time.Second
)

// outcome is the result of applying the children.
type outcome struct {
	// err is why children are not as they were rendered.
	err error
	// undelivered says that the config that was rendered is not the one in the ConfigMap.
	undelivered bool
	// deployment is the Deployment as the API server answered its write; nil if it was not written.
	deployment *appsv1.Deployment
	// kindGone says that a child could not be written because the cluster has just lost its kind.
	kindGone bool
	// pause is what was left undone because the service is paused; nil if it is not.
	pause *pause
	// unpriced is the reason why pods could not be given their deletion cost, which is only a hint to the ReplicaSet.
	unpriced error
}

// conflictError says that the name of a child is taken by an object that is somebody else's.
type conflictError struct{ kind, name string }

func (e *conflictError) Error() string {
	return fmt.Sprintf("%s %s exists and is not controlled by this %s; delete or rename it", e.kind, e.name, v1alpha1.Kind)
}

// leftoverError says that a child of a deleted service of the same name is still there.
type leftoverError struct{ kind, name string }

func (e *leftoverError) Error() string {
	return fmt.Sprintf("%s %s belongs to a deleted %s of this name; waiting for its removal", e.kind, e.name, v1alpha1.Kind)
}

// obstacle is the part of an error that is about an object which has the name of a child and is not this service's; nil for
// none.
func obstacle(err error) error {
	if foreign, ok := errors.AsType[*conflictError](err); ok {
		return foreign
	}
	if orphan, ok := errors.AsType[*orphanError](err); ok {
		return orphan
	}
	return nil
}

// retry is the error to be retried with backoff; nil if only time or somebody else can help, and where the namespace
// is going away, with everything in it.
func (o outcome) retry() error {
	return errors.Join(slices.DeleteFunc(each(o.err), func(err error) bool {
		return waitFor(err) > 0 || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	})...)
}

// again is how soon to look again at what only time or somebody else can change.
func (o outcome) again() time.Duration {
	var wait time.Duration
	if o.kindGone {
		wait = discoveryInterval
	}
	for _, err := range each(o.err) {
		wait = soonest(wait, waitFor(err))
	}
	return wait
}

func waitFor(err error) time.Duration {
	if obstacle(err) != nil {
		return conflictRecheck
	}
	if _, ok := errors.AsType[*leftoverError](err); ok {
		return leftoverRecheck
	}
	return 0
}

// each lists the errors that were joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.Clone(joined.Unwrap())
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// apply makes the children match what was rendered, in order. One that cannot be holds up those that need it, and no
// other; if the view was too old, none that follows is written.
func (r *Reconciler) apply(ctx context.Context, seen *view, children []render.Child) outcome {
	result := outcome{undelivered: len(children) > 0}
	var errs []error
	for i := range children {
		child := &children[i]
		if err := r.applyChild(ctx, seen, child, &result); err != nil {
			err = fmt.Errorf("apply %s %s: %w", child.Kind, child.NamespacedName, err)
			if seen.kinds.IsOptional(child.GroupVersionKind) && isGone(err) {
				result.kindGone = true
				continue
			}
			if outdated(err) {
				return outcome{err: err}
			}
			if errs = append(errs, err); holdsUpOthers(seen, child) {
				result.err = errors.Join(errs...)
				return result
			}
		}
		if child.Key() == render.DocumentsKey(seen.service.Name) {
			result.undelivered = false
		}
	}
	err := r.prune(ctx, seen, children)
	if outdated(err) {
		return outcome{err: err}
	}
	result.err = errors.Join(append(errs, each(err)...)...)
	return result
}

// outdated says that the view was too old to act on, or to report from.
func outdated(err error) bool { return apierrors.IsConflict(err) || errors.Is(err, errOutdated) }

// holdsUpOthers says that no other child may be written before this one was: all are to be of the spec that the ConfigMap
// records, and pods need the service's own account.
func holdsUpOthers(seen *view, child *render.Child) bool {
	name := seen.service.Name
	return child.Key() == render.DocumentsKey(name) ||
		child.Key() == render.AccountKey(name) && !seen.ownsChild(child.Key())
}

func (r *Reconciler) applyChild(ctx context.Context, seen *view, child *render.Child, result *outcome) error {
	live, err := r.claim(ctx, seen, child)
	if err != nil {
		return err
	}
	if live != nil && live.GetDeletionTimestamp() != nil {
		return nil // its end will be an event
	}
	rendered, err := child.Unstructured()
	if err != nil {
		return err
	}
	w := &wanted{Child: child, seen: seen, live: live, rendered: rendered}
	gateways := child.Key() == render.GatewaysKey(seen.service.Name)
	if gateways {
		if err := r.originate(ctx, w); err != nil {
			return err
		}
	}
	differs, err := r.differs(ctx, w)
	if err != nil || !differs {
		return err
	}
	if err := r.confirm(ctx, seen); err != nil {
		return err
	}
	if gateways {
		return r.applyDeployment(ctx, w, result)
	}
	_, err = r.write(ctx, w)
	return err
}

// wanted is a child that this service wants, and the object that it has.
type wanted struct {
	*render.Child

	seen *view
	// live is nil if there is none.
	live     client.Object
	rendered *unstructured.Unstructured
	// origin is what was recorded in a rendered Deployment.
	origin rollout.Origin
	// held says that what was rendered of a Deployment has no template: it keeps the one that it has.
	held bool
}

// claim returns the live object of a child; nil if there is none. It never takes over objects of others, but does
// take over those that a service of this name left behind when it was deleted without its children.
func (r *Reconciler) claim(ctx context.Context, seen *view, child *render.Child) (client.Object, error) {
	live := seen.children[child.Key()]
	if live == nil || metav1.GetControllerOf(live) == nil {
		// The caches hold only objects with our label, and of those without a controller only the identity. Before the
		// name is used, the API server is asked.
		var err error
		if live, err = r.readUncached(ctx, seen, child.Key()); live == nil || err != nil {
			return live, err
		}
	}
	owner := metav1.GetControllerOf(live)
	switch {
	case owner != nil && owner.UID == seen.service.UID:
		return live, nil
	case owner != nil && owner.Kind == v1alpha1.Kind && owner.Name == seen.service.Name:
		return nil, &leftoverError{child.Kind, child.Name}
	case owner == nil && orphaned(live, seen.service):
		return live, nil
	default:
		return nil, &conflictError{child.Kind, child.Name}
	}
}

// differs reports whether a child has to be written. Where admission rewrote what was written last, writing it again
// would go on for ever: that is remembered until somebody changes the object.
func (r *Reconciler) differs(ctx context.Context, w *wanted) (bool, error) {
	memory := r.memories.of(w.seen)
	known := memory.rewritings[w.Key()]
	delete(memory.rewritings, w.Key())
	if w.live == nil || !cached.Made(w.live) { // no field of it is ours, and deletion is for what we made
		return true, nil
	}
	as, covered, err := w.compared()
	if covered || err != nil {
		return false, err
	}
	if as != known.as {
		return true, nil
	}
	if known.due(w.seen.now) {
		if known, err = r.tried(ctx, w); err != nil || as != known.as {
			return true, err
		}
	}
	memory.rewritings[w.Key()] = known
	return false, nil
}

// compared reports whether the live object has all that was rendered. If it does not, as identifies what it has instead.
func (w *wanted) compared() (as string, covered bool, err error) {
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(w.live)
	if err != nil {
		return "", false, fmt.Errorf("encode the live object: %w", err)
	}
	if covers(have, withoutType(w.rendered)) {
		return "", true, nil
	}
	as, err = w.writtenAs(w.live, have)
	return as, false, err
}

// write applies a child and, if applying cannot, replaces the lists that somebody else added to. It returns the object
// as the API server has it now.
func (r *Reconciler) write(ctx context.Context, w *wanted) (*unstructured.Unstructured, error) {
	if w.held {
		// Applied without its template, it would lose it.
		return r.replaceLists(ctx, w)
	}
	result, live := w.rendered.DeepCopy(), w.live
	if live != nil && (w.Key() == render.DocumentsKey(w.seen.service.Name) || metav1.GetControllerOf(live) == nil) {
		// What a ConfigMap holds was decided from what it held. It comes before all that depends on the spec, so that a view
		// that is too old gets no further than a conflict. An orphan is adopted as it was seen, or looked at again.
		result.SetUID(live.GetUID())
		result.SetResourceVersion(live.GetResourceVersion())
	}
	err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(result), client.FieldOwner(FieldOwner), client.ForceOwnership)
	log.FromContext(ctx).V(1).Info("Applied", "kind", w.Kind, "name", w.Name)
	memory := r.memories.of(w.seen)
	memory.unshown[w.Key()] = true // also if the answer was lost
	if err == nil && w.Key() == render.DocumentsKey(w.seen.service.Name) {
		memory.delivered = w.seen.now
	}
	if apierrors.IsConflict(err) && live != nil {
		memory.outdate(live)
	}
	switch {
	case err == nil && covers(result.Object, w.rendered.Object):
		return result, nil
	case live != nil && metav1.GetControllerOf(live) == nil && apierrors.IsForbidden(err):
		return nil, &orphanError{w.Kind, w.Name, w.seen.service}
	case err == nil, live != nil && apierrors.IsInvalid(err):
		return r.replaceLists(ctx, w)
	default:
		return nil, err
	}
}

// replaceLists undoes what applying leaves: an item that somebody else added to a list stays theirs, and may even make
// the applied object invalid, as a second port of the same name does. A merge patch replaces lists. Its fields are
// then handed to the applier, which otherwise would not remove them when they are no longer rendered.
func (r *Reconciler) replaceLists(ctx context.Context, w *wanted) (*unstructured.Unstructured, error) {
	object, err := r.replace(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := r.ownAsApplier(ctx, object); err != nil {
		return nil, err
	}
	if !covers(object.Object, w.rendered.Object) {
		log.FromContext(ctx).Info("Admission rewrites the applied fields; leaving them", "kind", w.Kind, "name", w.Name)
		rewritten, err := r.rewritingOf(w, object)
		if err != nil {
			return nil, err
		}
		r.memories.of(w.seen).rewritings[w.Key()] = rewritten
	}
	return object, nil
}

// replace sends all that was rendered but the owners, a list that is shared, and returns the object as the API server has it then.
func (r *Reconciler) replace(ctx context.Context, w *wanted, options ...client.PatchOption) (*unstructured.Unstructured, error) {
	content := maps.Clone(w.rendered.Object)
	content["metadata"] = map[string]any{"labels": w.rendered.GetLabels(), "annotations": w.rendered.GetAnnotations()}
	patch, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode patch: %w", err)
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(w.GroupVersionKind)
	object.SetNamespace(w.Namespace)
	object.SetName(w.Name)
	options = append(options, client.FieldOwner(FieldOwner))
	if err := r.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), options...); err != nil {
		return nil, fmt.Errorf("replace lists: %w", err)
	}
	return object, nil
}

func (r *Reconciler) ownAsApplier(ctx context.Context, object *unstructured.Unstructured) error {
	upgrade, err := csaupgrade.UpgradeManagedFieldsPatch(object, sets.New(FieldOwner), FieldOwner)
	if err != nil {
		return fmt.Errorf("own replaced fields: %w", err)
	}
	if upgrade == nil {
		return nil
	}
	if err := r.Client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, upgrade), client.FieldOwner(FieldOwner)); err != nil {
		return fmt.Errorf("own replaced fields: %w", err)
	}
	return nil
}

// withoutType is an object without what a client may leave out.
func withoutType(object *unstructured.Unstructured) map[string]any {
	content := maps.Clone(object.Object)
	delete(content, "apiVersion")
	delete(content, "kind")
	return content
}
