package cached

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// pageSize is how many objects, of at most 1.5 MiB each, are read at once if a list is not streamed.
const pageSize = 16

// NewInformer returns an informer of the objects with the operator's label, or of all services. It never holds a whole list as
// it was sent. If the API server streams lists, each object is cut down as it arrives. Otherwise the list is read in
// pages, and each page is cut down.
func NewInformer(
	from toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
) toolscache.SharedIndexInformer {
	listed := pages{ListerWatcherWithContext: toolscache.ToListerWatcherWithContext(from), selector: ours}
	if _, service := object.(*v1alpha1.LLMService); service {
		listed.selector = ""
	}
	return toolscache.NewSharedIndexInformer(listed, object, resync, indexers)
}

// ours selects the operator's own objects, so that its memory grows with its work and not with the cluster.
const ours = render.LabelManagedBy + "=" + render.ManagedBy

// pages reads lists in pages of pageSize, whatever the caller asks for.
type pages struct {
	toolscache.ListerWatcherWithContext

	// selector is of labels; empty for all objects.
	selector string
}

var _ toolscache.ListerWatcher = pages{}

// List implements toolscache.ListerWatcher, which informers no longer call.
func (p pages) List(options metav1.ListOptions) (runtime.Object, error) {
	return p.ListWithContext(context.Background(), options)
}

// Watch implements toolscache.ListerWatcher, which informers no longer call.
func (p pages) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return p.WatchWithContext(context.Background(), options) //nolint:wrapcheck // informers look at its kind
}

// WatchWithContext implements toolscache.WatcherWithContext.
func (p pages) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector = p.selector
	return p.ListerWatcherWithContext.WatchWithContext(ctx, options) //nolint:wrapcheck // informers look at its kind
}

// ListWithContext implements toolscache.ListerWithContext.
func (p pages) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	// API servers do not divide a list that they answer from a cache, which a version asks for.
	options.ResourceVersion, options.ResourceVersionMatch = "", ""
	options.Limit, options.Continue = pageSize, ""
	options.LabelSelector = p.selector
	var items []runtime.Object
	for {
		page, err := p.ListerWatcherWithContext.ListWithContext(ctx, options)
		if err != nil {
			return nil, err //nolint:wrapcheck // informers look at its kind
		}
		if items, err = keepAll(items, page); err != nil {
			return nil, err
		}
		list, err := meta.ListAccessor(page)
		if err != nil {
			return nil, fmt.Errorf("read a page: %w", err)
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return whole(page, items)
		}
	}
}

// keepAll appends what is kept of the page's objects. They are copied: a page is one allocation, and what is left of
// one object would hold all others in memory.
func keepAll(items []runtime.Object, page runtime.Object) ([]runtime.Object, error) {
	err := meta.EachListItemWithAlloc(page, func(item runtime.Object) error {
		kept, err := Keep(item)
		if err != nil {
			return err
		}
		object, ok := kept.(runtime.Object)
		if !ok {
			return fmt.Errorf("%T is not an object", kept)
		}
		items = append(items, object)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cut down a page: %w", err)
	}
	return items, nil
}

func whole(page runtime.Object, items []runtime.Object) (runtime.Object, error) {
	if err := meta.SetList(page, items); err != nil {
		return nil, fmt.Errorf("join pages: %w", err)
	}
	return page, nil
}
