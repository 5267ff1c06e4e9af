package operator

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// testAnnotation of a namespace names the test that it is of.
const testAnnotation = "test.llmservice.dev/test"

// leftovers are an error that lists the services in the API server, in one namespace or in all of them: the operators of other tests
// would reconcile them, too, and share with them what there is one of, such as turns, leases and room to compile.
func leftovers(ctx context.Context, of ...client.ListOption) error {
	var services v1alpha1.LLMServiceList
	if err := api.List(ctx, &services, of...); err != nil {
		return fmt.Errorf("list the services that tests have left: %w", err)
	}
	var left []error
	for i := range services.Items {
		service := &services.Items[i]
		var namespace corev1.Namespace
		if err := api.Get(ctx, client.ObjectKey{Name: service.Namespace}, &namespace); err != nil {
			left = append(left, fmt.Errorf("read the namespace of a service that a test has left: %w", err))
		}
		left = append(left, fmt.Errorf("%s left LLMService %s/%s, with the finalizers %v", testOf(&namespace),
			service.Namespace, service.Name, service.Finalizers))
	}
	return errors.Join(left...)
}

func testOf(namespace *corev1.Namespace) string {
	if name := namespace.Annotations[testAnnotation]; name != "" {
		return name
	}
	return "a test without a namespace of its own"
}
