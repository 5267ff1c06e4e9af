package cached

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
)

// server has n foreign ConfigMaps, and answers in pages as an API server does that was not asked for a version.
func server(t *testing.T, n int, fails int) toolscache.ListerWatcherWithContext {
	t.Helper()
	asked := 0
	return toolscache.ToListerWatcherWithContext(&toolscache.ListWatch{
		ListWithContextFunc: func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if asked++; asked == fails {
				return nil, errors.New("gone")
			}
			if options.LabelSelector != ours {
				t.Errorf("asked for objects with %q: those of others would be read", options.LabelSelector)
			}
			if options.ResourceVersion != "" || options.Limit <= 0 {
				t.Errorf("asked for version %q and %d objects: the whole list would be the answer", options.ResourceVersion, options.Limit)
			}
			first := 0
			if options.Continue != "" {
				var err error
				if first, err = strconv.Atoi(options.Continue); err != nil {
					t.Fatal(err)
				}
			}
			page := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
			for i := first; i < min(n, first+int(options.Limit)); i++ {
				page.Items = append(page.Items, corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("c", i)}, Data: map[string]string{"theirs": "x"},
				})
			}
			if next := first + int(options.Limit); next < n {
				page.Continue = strconv.Itoa(next)
			}
			return page, nil
		},
	})
}

func TestListsAreReadInPagesAndCutDown(t *testing.T) {
	for _, n := range []int{0, 1, pageSize, pageSize + 1, 3*pageSize + 5} {
		got, err := pages{server(t, n, 0), ours}.List(metav1.ListOptions{ResourceVersion: "0", Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		list := got.(*corev1.ConfigMapList)
		if len(list.Items) != n || list.Continue != "" || list.ResourceVersion != "7" {
			t.Errorf("%d objects of %d, continued at %q, of version %q", len(list.Items), n, list.Continue, list.ResourceVersion)
		}
		for i := range list.Items {
			if item := &list.Items[i]; item.Name != fmt.Sprint("c", i) || !Abridged(item) || len(item.Data) > 0 {
				t.Errorf("item %d is %s with %d entries", i, item.Name, len(item.Data))
			}
		}
	}
}

func TestAPageThatFailsFailsTheList(t *testing.T) {
	if _, err := (pages{server(t, 3*pageSize, 2), ours}).List(metav1.ListOptions{}); err == nil {
		t.Error("no error")
	}
}
