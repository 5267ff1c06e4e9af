package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Service is one LLMService in the cluster.
type Service struct {
	cluster *Cluster
	key     client.ObjectKey
}

// Service names an LLMService that exists.
func (c *Cluster) Service(namespace, name string) *Service {
	return &Service{c, client.ObjectKey{Namespace: namespace, Name: name}}
}

// Sample reads an LLMService from a file below the project's directory; what the API does not know is an error.
func (c *Cluster) Sample(path string) (*v1alpha1.LLMService, error) {
	text, err := os.ReadFile(filepath.Join(c.Root, path))
	if err != nil {
		return nil, fmt.Errorf("read sample: %w", err)
	}
	var sample v1alpha1.LLMService
	if err := yaml.UnmarshalStrict(text, &sample); err != nil {
		return nil, fmt.Errorf("sample %s: %w", path, err)
	}
	return &sample, nil
}

// Apply creates an LLMService in a namespace.
func (c *Cluster) Apply(ctx context.Context, namespace string, object *v1alpha1.LLMService) (*Service, error) {
	object.Namespace = namespace
	if err := c.Create(ctx, object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		return nil, fmt.Errorf("create LLMService %s/%s: %w", namespace, object.Name, err)
	}
	return c.Service(namespace, object.Name), nil
}

// Name is the service's name, Namespace its namespace.
func (s *Service) Name() string { return s.key.Name }

// Namespace is where the service is.
func (s *Service) Namespace() string { return s.key.Namespace }

// Get reads the service.
func (s *Service) Get(ctx context.Context) (*v1alpha1.LLMService, error) {
	var object v1alpha1.LLMService
	if err := s.cluster.Get(ctx, s.key, &object); err != nil {
		return nil, fmt.Errorf("get LLMService %s: %w", s.key, err)
	}
	return &object, nil
}

// Edit changes the service's spec, and returns it as it then is.
func (s *Service) Edit(ctx context.Context, change func(*v1alpha1.LLMServiceSpec)) (*v1alpha1.LLMService, error) {
	var edited *v1alpha1.LLMService
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object, err := s.Get(ctx)
		if err != nil {
			return err
		}
		before := object.DeepCopy()
		change(&object.Spec)
		edited = object
		return s.cluster.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return nil, fmt.Errorf("edit LLMService %s: %w", s.key, err)
	}
	return edited, nil
}

// Delete deletes the service, and its children with it.
func (s *Service) Delete(ctx context.Context) error {
	object := &v1alpha1.LLMService{ObjectMeta: metav1.ObjectMeta{Namespace: s.key.Namespace, Name: s.key.Name}}
	if err := s.cluster.Delete(ctx, object); err != nil {
		return fmt.Errorf("delete LLMService %s: %w", s.key, err)
	}
	return nil
}

// AwaitReady waits until the service is Ready for the spec that it has now.
func (s *Service) AwaitReady(ctx context.Context) (time.Duration, error) {
	return s.AwaitCondition(ctx, ReadyWithin, v1alpha1.ConditionReady, metav1.ConditionTrue)
}

// AwaitCondition waits until a condition that describes the present spec has a status.
func (s *Service) AwaitCondition(
	ctx context.Context, limit time.Duration, kind string, status metav1.ConditionStatus,
) (time.Duration, error) {
	what := fmt.Sprintf("LLMService %s has %s=%s", s.key, kind, status)
	return Await(ctx, limit, what, func(ctx context.Context) error {
		return s.condition(ctx, kind, status)
	})
}

func (s *Service) condition(ctx context.Context, kind string, want metav1.ConditionStatus) error {
	object, err := s.Get(ctx)
	if err != nil {
		return err
	}
	condition := meta.FindStatusCondition(object.Status.Conditions, kind)
	switch {
	case condition == nil:
		return errors.New("the condition is not there")
	case condition.ObservedGeneration != object.Generation || object.Status.ObservedGeneration != object.Generation:
		return fmt.Errorf("it is %s for generation %d, the spec's is %d",
			condition.Status, condition.ObservedGeneration, object.Generation)
	case condition.Status != want:
		return fmt.Errorf("it is %s, %s: %s", condition.Status, condition.Reason, condition.Message)
	}
	return nil
}

// Condition returns a condition of the service as it is now; nil if it has none of that type.
func (s *Service) Condition(ctx context.Context, kind string) (*metav1.Condition, error) {
	object, err := s.Get(ctx)
	if err != nil {
		return nil, err
	}
	return meta.FindStatusCondition(object.Status.Conditions, kind), nil
}

// URL is where clients inside the cluster's network reach the service. It has the Service's address in it, since
// this process may not know the cluster's names. It is returned once it leads somewhere: a node learns of a ready pod
// a moment after everybody else.
func (s *Service) URL(ctx context.Context) (string, error) {
	var service corev1.Service
	if err := s.cluster.Get(ctx, s.key, &service); err != nil {
		return "", fmt.Errorf("get Service %s: %w", s.key, err)
	}
	if len(service.Spec.Ports) == 0 {
		return "", fmt.Errorf("service %s has no port", s.key)
	}
	url := "http://" + service.Spec.ClusterIP + ":" + strconv.Itoa(int(service.Spec.Ports[0].Port))
	_, err := Await(ctx, RoutedWithin, "the Service's address leads to a gateway", func(ctx context.Context) error {
		var document struct{}
		return getJSON(ctx, url+"/openapi.json", &document)
	})
	return url, err
}
