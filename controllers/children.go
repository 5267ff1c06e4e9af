package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// maxPruned bounds how many objects one reconcile deletes that are not rendered any more. Their ends are events, upon which
// the rest follows.
const maxPruned = 8

// observeChildren reads what the caches hold of the kinds that services have and the cluster has now: the objects of this
// service, and those of a deleted one of its name.
func (r *Reconciler) observeChildren(ctx context.Context, seen *view) error {
	seen.children = map[render.ChildKey]client.Object{}
	seen.kinds = r.kinds()
	for _, kind := range seen.kinds {
		if err := r.observeKind(ctx, seen, kind); err != nil {
			return err
		}
	}
	return r.readDocuments(ctx, seen)
}

func (r *Reconciler) observeKind(ctx context.Context, seen *view, kind render.Kind) error {
	list, err := r.emptyList(kind.GroupVersionKind)
	if err != nil {
		return err
	}
	err = r.optional.whileWatched(kind, func() error {
		return r.Client.List(ctx, list,
			client.InNamespace(seen.service.Namespace), client.MatchingFields{serviceIndex: seen.service.Name})
	})
	if err != nil {
		return fmt.Errorf("list each %s of %s: %w", kind.Kind, client.ObjectKeyFromObject(seen.service), err)
	}
	err = meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("%T is not an object", item)
		}
		return r.observeChild(ctx, seen, render.ChildKey{GroupVersionKind: kind.GroupVersionKind, Name: object.GetName()}, object)
	})
	if err != nil {
		return fmt.Errorf("read each %s of %s: %w", kind.Kind, client.ObjectKeyFromObject(seen.service), err)
	}
	return nil
}

// observeChild asks the API server for a child of ours that is too large for the cache, or of which the cache shows an old
// version; of what is not ours no more is needed than that it is there.
func (r *Reconciler) observeChild(ctx context.Context, seen *view, key render.ChildKey, object client.Object) error {
	if seen.owns(object) && (cached.Abridged(object) || r.memories.of(seen).isOutdated(object)) {
		var err error
		if object, err = r.readUncached(ctx, seen, key); err != nil || object == nil {
			return err
		}
	}
	seen.children[key] = object
	return nil
}

// readDocuments asks the API server for the ConfigMap if the cache has none: what was delivered decides what is delivered next,
// and a cache that lags must not make that lost.
func (r *Reconciler) readDocuments(ctx context.Context, seen *view) error {
	key := render.DocumentsKey(seen.service.Name)
	if seen.children[key] != nil {
		return nil
	}
	object, err := r.readUncached(ctx, seen, key)
	if err == nil && object != nil {
		seen.children[key] = object
	}
	return err
}

// readUncached returns nil if there is no such object.
func (r *Reconciler) readUncached(ctx context.Context, seen *view, key render.ChildKey) (client.Object, error) {
	object, err := r.emptyObject(key.GroupVersionKind)
	if err != nil {
		return nil, err
	}
	err = r.Uncached.Get(ctx, types.NamespacedName{Namespace: seen.service.Namespace, Name: key.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // absent is an answer
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return object, nil
}

// emptyObject is of the kind's Go type, or of none if the scheme does not know the kind.
func (r *Reconciler) emptyObject(kind schema.GroupVersionKind) (client.Object, error) {
	return objectOf(r.Client.Scheme(), kind)
}

func objectOf(scheme *runtime.Scheme, kind schema.GroupVersionKind) (client.Object, error) {
	if !scheme.Recognizes(kind) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kind)
		return object, nil
	}
	return typedOf[client.Object](scheme, kind)
}

// typedOf makes an empty value of the Go type of a kind, or of a list of a kind.
func typedOf[T runtime.Object](scheme *runtime.Scheme, kind schema.GroupVersionKind) (T, error) {
	var none T
	made, err := scheme.New(kind)
	if err != nil {
		return none, fmt.Errorf("make a %s: %w", kind.Kind, err)
	}
	typed, ok := made.(T)
	if !ok {
		return none, fmt.Errorf("a %s is made as %T, want %v", kind.Kind, made, reflect.TypeFor[T]())
	}
	return typed, nil
}

func (r *Reconciler) emptyList(kind schema.GroupVersionKind) (client.ObjectList, error) {
	scheme, lists := r.Client.Scheme(), kind.GroupVersion().WithKind(kind.Kind+"List")
	if !scheme.Recognizes(kind) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(lists)
		return list, nil
	}
	return typedOf[client.ObjectList](scheme, lists)
}

// liveChild returns a child as it was seen; nil if there is none.
func liveChild[T client.Object](v *view, key render.ChildKey) T {
	child, _ := v.children[key].(T)
	return child
}

// configMap may be somebody else's, as may be the others; nil if there is none.
func (v *view) configMap() *corev1.ConfigMap {
	return liveChild[*corev1.ConfigMap](v, render.DocumentsKey(v.service.Name))
}

func (v *view) deployment() *appsv1.Deployment {
	return liveChild[*appsv1.Deployment](v, render.GatewaysKey(v.service.Name))
}

func (v *view) autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return liveChild[*autoscalingv2.HorizontalPodAutoscaler](v, render.AutoscalerKey(v.service.Name))
}

// prune deletes what this operator made for the service, or for a deleted one of its name that left it behind, and does not
// render any more. If nothing was rendered, it is not known what should be there.
func (r *Reconciler) prune(ctx context.Context, seen *view, children []render.Child) error {
	if len(children) == 0 {
		return nil
	}
	rendered := map[render.ChildKey]bool{}
	for i := range children {
		rendered[children[i].Key()] = true
	}
	maps.DeleteFunc(r.memories.of(seen).rewritings, func(key render.ChildKey, _ rewriting) bool { return !rendered[key] })
	if err := r.observeUnshown(ctx, seen, rendered); err != nil {
		return err
	}
	var errs []error
	for _, key := range superfluous(seen, rendered) {
		if err := r.remove(ctx, seen, key); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// observeUnshown asks the API server for what was written, is not rendered any more, and was never shown by a cache.
func (r *Reconciler) observeUnshown(ctx context.Context, seen *view, rendered map[render.ChildKey]bool) error {
	unshown := r.memories.of(seen).unshown
	maps.DeleteFunc(unshown, func(key render.ChildKey, _ bool) bool { return seen.children[key] != nil })
	for key := range unshown {
		if rendered[key] {
			continue
		}
		object, err := r.readUncached(ctx, seen, key)
		if err != nil {
			return err
		}
		if object == nil || !seen.owns(object) {
			delete(unshown, key)
			continue
		}
		seen.children[key] = object
	}
	return nil
}

// documentsKind is the kind of what configs are delivered in.
var documentsKind = render.DocumentsKey("").Kind

// superfluous lists the first maxPruned objects to delete, by kind and name. The ConfigMap of another version of the contract is
// none of them: the gateways of the release before or after this one may have it mounted, or get it back. It goes with the
// service.
func superfluous(seen *view, rendered map[render.ChildKey]bool) []render.ChildKey {
	var found []render.ChildKey
	for key, live := range seen.children {
		mine := seen.owns(live) || metav1.GetControllerOf(live) == nil
		needed := rendered[key] || key.Kind == documentsKind && delivery.OfAnyVersion(seen.service.Name, key.Name)
		if mine && !needed && live.GetDeletionTimestamp() == nil && cached.Made(live) {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, render.ChildKey.Compare)
	return found[:min(len(found), maxPruned)]
}

// remove deletes our object as it was seen, and not one that took its name in the meantime.
func (r *Reconciler) remove(ctx context.Context, seen *view, key render.ChildKey) error {
	live := seen.children[key]
	if metav1.GetControllerOf(live) == nil {
		var err error
		if live, err = r.readUncached(ctx, seen, key); err != nil || live == nil || !orphaned(live, seen.service) {
			return err
		}
	}
	if err := r.confirm(ctx, seen); err != nil {
		return err
	}
	err := r.Client.Delete(ctx, live, client.Preconditions{
		UID:             new(live.GetUID()),
		ResourceVersion: new(live.GetResourceVersion()),
	})
	if apierrors.IsConflict(err) {
		r.memories.of(seen).outdate(live)
	}
	return client.IgnoreNotFound(err) //nolint:wrapcheck // the caller names the object
}
