package operator

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers"
)

// TestWhatTheOperatorMayPatch: RBAC lets the operator patch pods; the policy that is installed with it leaves it two annotations, and
// nobody else anything less.
func TestWhatTheOperatorMayPatch(t *testing.T) {
	s := alone(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "somebodys", Labels: map[string]string{"app": "bank"}, Annotations: map[string]string{"theirs": "1"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "bank:1"}}},
	}
	if err := api.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	operator, err := client.New(managerConfig, client.Options{Scheme: api.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	patch := func(c client.Client, text string) error {
		return c.Patch(t.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(text)), client.DryRunAll)
	}
	for name, tt := range map[string]struct{ patch, refused string }{
		"own annotations": {
			`{"metadata":{"annotations":{"` + controllers.NudgeAnnotation + `":"r.1","` + corev1.PodDeletionCost + `":"-5"}}}`, "",
		},
		"a new annotation":     {`{"metadata":{"annotations":{"sidecar.istio.io/inject":"true"}}}`, "no annotations"},
		"another's annotation": {`{"metadata":{"annotations":{"theirs":"2"}}}`, "no annotations"},
		"… removed":            {`{"metadata":{"annotations":{"theirs":null}}}`, "no annotations"},
		"the image":            {`{"spec":{"containers":[{"name":"main","image":"mine:1"}]}}`, "the spec"},
		"a deadline":           {`{"spec":{"activeDeadlineSeconds":1}}`, "the spec"},
		"a label":              {`{"metadata":{"labels":{"app":"mine"}}}`, "the labels"},
		"a finalizer":          {`{"metadata":{"finalizers":["example.com/mine"]}}`, "finalizers"},
		"an owner": {
			`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"c","uid":"u"}]}}`, "owner",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := patch(api, tt.patch); err != nil {
				t.Errorf("an administrator may not: %v", err)
			}
			err := patch(operator, tt.patch)
			// A policy that has just been installed applies a moment later.
			for deadline := time.Now().Add(time.Minute); err == nil && tt.refused != "" && time.Now().Before(deadline); {
				err = patch(operator, tt.patch)
			}
			if tt.refused == "" && err != nil {
				t.Error(err)
			}
			if tt.refused != "" && (!apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), tt.refused)) {
				t.Errorf("got %v, want a refusal that names %s", err, tt.refused)
			}
		})
	}
}
