package controllers

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Only what trying again can mend is tried again with backoff.
func TestWhatIsRetried(t *testing.T) {
	terminating := apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "assistant", errors.New("terminating"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, tt := range map[string]struct {
		err   error
		retry bool
		again bool
	}{
		"nothing":               {nil, false, false},
		"an API server's error": {apierrors.NewInternalError(errors.New("x")), true, false},
		"a namespace's end":     {terminating, false, false},
		"another's object":      {&conflictError{"Service", "assistant"}, false, true},
		"a leftover":            {&leftoverError{"Service", "assistant"}, false, true},
	} {
		o := outcome{err: tt.err}
		if tt.err != nil {
			o.err = fmt.Errorf("apply: %w", tt.err)
		}
		if (o.retry() != nil) != tt.retry || (o.again() > 0) != tt.again {
			t.Errorf("%s: retry %v, again %s", name, o.retry(), o.again())
		}
	}
}
