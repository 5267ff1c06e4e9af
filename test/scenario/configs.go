package scenario

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// ConfigWrites counts the changes of the service's ConfigMap from now on. The function that it returns ends that, and returns the
// number.
func (s *Service) ConfigWrites(ctx context.Context) (func() int, error) {
	configMaps := s.cluster.core.CoreV1().ConfigMaps(s.key.Namespace)
	name := delivery.ConfigMapName(s.key.Name)
	known, err := configMaps.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s: %w", name, err)
	}
	watched, err := configMaps.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(), ResourceVersion: known.ResourceVersion,
	})
	if err != nil {
		return nil, fmt.Errorf("watch ConfigMap %s: %w", name, err)
	}
	var writes atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watched.ResultChan() {
			if event.Type == watch.Modified {
				writes.Add(1)
			}
		}
	}()
	return func() int {
		watched.Stop()
		<-ended
		return int(writes.Load())
	}, nil
}

// Serves fails unless the delivered config has these words and every live replica serves it.
func (s *Service) Serves(ctx context.Context, words string) error {
	var documents corev1.ConfigMap
	key := client.ObjectKey{Namespace: s.key.Namespace, Name: delivery.ConfigMapName(s.key.Name)}
	if err := s.cluster.Get(ctx, key, &documents); err != nil {
		return fmt.Errorf("get ConfigMap %s: %w", key, err)
	}
	current := documents.Data[delivery.CurrentKey]
	if !strings.Contains(current, words) {
		return fmt.Errorf("the delivered config has no %q", words)
	}
	live, err := s.Live(ctx)
	if err != nil {
		return err
	}
	if len(live) == 0 {
		return fmt.Errorf("no replica of %s is live", s.key)
	}
	want := delivery.Revision([]byte(current))
	for i := range live {
		status, err := Status(ctx, &live[i])
		if err != nil {
			return err
		}
		if status.Revision != want {
			return fmt.Errorf("pod %s serves %s, want %s", live[i].Name, status.Revision, want)
		}
	}
	return nil
}
