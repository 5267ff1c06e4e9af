package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// errOutdated says that what a reconcile goes by was changed since it was read.
var errOutdated = errors.New("the view is out of date")

// confirm asks the API server, once before a reconcile's first write, whether the service and its ConfigMap are still as
// they were seen. The caches of the kinds do not move together: after a restart, an API server that lags can show an old
// service with new children, and what was decided from such a view would undo what has been done since.
func (r *Reconciler) confirm(ctx context.Context, seen *view) error {
	if seen.confirmed {
		return nil
	}
	var service v1alpha1.LLMService
	if err := r.latest(ctx, client.ObjectKeyFromObject(seen.service), &service); err != nil {
		return err
	}
	memory := r.memories.of(seen)
	if service.UID != seen.service.UID || service.Generation > seen.service.Generation || service.DeletionTimestamp != nil {
		memory.outdate(seen.service)
		return errOutdated
	}
	if known := seen.configMap(); known != nil {
		var configMap metav1.PartialObjectMetadata
		configMap.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		if err := r.latest(ctx, client.ObjectKeyFromObject(known), &configMap); err != nil {
			return err
		}
		if configMap.ResourceVersion != known.ResourceVersion {
			memory.outdate(known)
			return errOutdated
		}
	}
	seen.confirmed = true
	return nil
}

// latest reads from the API server what a cache has shown already.
func (r *Reconciler) latest(ctx context.Context, key client.ObjectKey, object client.Object) error {
	err := r.Uncached.Get(ctx, key, object)
	switch {
	case apierrors.IsNotFound(err):
		return errOutdated
	case err != nil:
		return fmt.Errorf("read %s again: %w", key, err)
	}
	return nil
}
