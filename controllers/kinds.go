package controllers

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/llmservice/llmservice/controllers/render"
)

// kinds are those of the table that the cluster has.
func (r *Reconciler) kinds() render.Table {
	var table render.Table
	for _, kind := range r.Children {
		if !kind.Optional || r.optional.has(kind.GroupVersionKind) {
			table = append(table, kind)
		}
	}
	return table
}

// optionalKinds knows which of the optional kinds are watched. Its zero value knows none.
type optionalKinds struct {
	mu sync.RWMutex
	// watched has what ends the watch of each, and missing the reason why there is none.
	watched map[schema.GroupVersionKind]context.CancelFunc
	missing map[schema.GroupVersionKind]string
}

// whyMissing is the reason why no object of the kind can be made; empty if objects can be.
func (o *optionalKinds) whyMissing(kind schema.GroupVersionKind) string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.watched[kind] != nil {
		return ""
	}
	return cmp.Or(o.missing[kind], "The operator has not looked yet whether the cluster has "+describeKind(kind))
}

// describeKind names a kind for people, such as HTTPRoute (gateway.networking.k8s.io/v1).
func describeKind(kind schema.GroupVersionKind) string {
	return fmt.Sprintf("%s (%s)", kind.Kind, kind.GroupVersion())
}

// miss records why a kind is not watched, and returns whether that is news.
func (o *optionalKinds) miss(kind schema.GroupVersionKind, why string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.missing == nil {
		o.missing = map[schema.GroupVersionKind]string{}
	}
	if o.missing[kind] == why {
		return false
	}
	o.missing[kind] = why
	return true
}

func (o *optionalKinds) has(kind schema.GroupVersionKind) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.watched[kind] != nil
}

// whileWatched reads from the cache of a kind, unless the kind has gone: reading would bring its cache back.
func (o *optionalKinds) whileWatched(kind render.Kind, read func() error) error {
	if !kind.Optional {
		return read()
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.watched[kind.GroupVersionKind] == nil {
		return nil
	}
	return read()
}

// add has end called when the kind is dropped.
func (o *optionalKinds) add(kind schema.GroupVersionKind, end context.CancelFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.watched == nil {
		o.watched = map[schema.GroupVersionKind]context.CancelFunc{}
	}
	o.watched[kind] = end
	delete(o.missing, kind)
}

func (o *optionalKinds) drop(kind schema.GroupVersionKind) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched[kind]()
	delete(o.watched, kind)
}

// isGone says that a write of a child failed because the cluster has lost the kind, or is about to.
func isGone(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err)
}
