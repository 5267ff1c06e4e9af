package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
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

// TestOneErrorOfSeveral: what only time can change is not retried with backoff, and everything else is.
func TestOneErrorOfSeveral(t *testing.T) {
	conflict, leftover := &conflictError{kind: "Service", name: "a"}, &leftoverError{kind: "Service", name: "a"}
	failed := errors.New("failed")
	tests := []struct {
		name  string
		err   error
		retry bool
		again time.Duration
	}{
		{"none", nil, false, 0},
		{"failed", errors.Join(failed), true, 0},
		{"conflict", errors.Join(fmt.Errorf("apply: %w", conflict)), false, conflictRecheck},
		{"leftover before conflict", errors.Join(conflict, leftover), false, leftoverRecheck},
		{"failed beside conflict", errors.Join(conflict, failed), true, conflictRecheck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result := outcome{err: tt.err}
			if got := result.retry(); (got != nil) != tt.retry || (tt.retry && !errors.Is(got, failed)) {
				t.Errorf("retry() = %v, want an error: %v", got, tt.retry)
			}
			if got := result.again(); got != tt.again {
				t.Errorf("again() = %v, want %v", got, tt.again)
			}
		})
	}
}

// TestWhatOthersNeed: nothing follows a ConfigMap that could not be written, nor an account that is not the service's own.
func TestWhatOthersNeed(t *testing.T) {
	service := serviceWith("http://a.svc/v1")
	ours := &corev1.ServiceAccount{}
	ours.OwnerReferences = []metav1.OwnerReference{{UID: service.UID, Controller: new(true)}}
	for name, tt := range map[string]struct {
		child   render.ChildKey
		account *corev1.ServiceAccount
		want    bool
	}{
		"the config":           {child: render.DocumentsKey("assistant"), account: ours, want: true},
		"no account":           {child: render.AccountKey("assistant"), want: true},
		"somebody's account":   {child: render.AccountKey("assistant"), account: &corev1.ServiceAccount{}, want: true},
		"an account as it was": {child: render.AccountKey("assistant"), account: ours},
		"an account more":      {child: render.AccountKey("assistant-canary"), account: ours},
		"the autoscaler":       {child: render.AutoscalerKey("assistant"), account: ours},
		"the Deployment":       {child: render.GatewaysKey("assistant"), account: ours},
	} {
		t.Run(name, func(t *testing.T) {
			child := namedChild(tt.child)
			seen := &view{service: service}
			if tt.account != nil {
				seen.put(render.AccountKey("assistant"), tt.account)
			}
			if got := holdsUpOthers(seen, &child); got != tt.want {
				t.Errorf("holdsUpOthers() = %v", got)
			}
		})
	}
}

// TestAnUndeliveredConfigIsNotApplied: gateways that serve what was delivered before do not serve the spec.
func TestAnUndeliveredConfigIsNotApplied(t *testing.T) {
	f := facts{
		undelivered: true, applyErr: errors.Join(errors.New("one"), errors.New("two")),
		acknowledged: acknowledgement{revision: "r", replicas: 1, acknowledged: 1},
	}
	if got := f.configApplied(); got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonApplyFailed || got.Message != "one; two" {
		t.Errorf("ConfigApplied is %+v", got)
	}
}

// TestDocumentsAreWrittenUnderTheirVersion: what a ConfigMap shall hold was decided from what it held. Other children are the
// operator's to overwrite, whatever their version.
func TestDocumentsAreWrittenUnderTheirVersion(t *testing.T) {
	service := serviceWith("http://a.svc/v1")
	sent := errors.New("sent")
	for key, want := range map[render.ChildKey][2]string{
		render.DocumentsKey("assistant"): {"c1", "7"}, render.GatewaysKey("assistant"): {"", ""},
	} {
		t.Run(key.Kind, func(t *testing.T) {
			var got metav1.PartialObjectMetadata
			apply := func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
				encoded, err := json.Marshal(object)
				return errors.Join(sent, err, json.Unmarshal(encoded, &got))
			}
			r := &Reconciler{Client: interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{Apply: apply})}
			live := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				UID: "c1", ResourceVersion: "7", OwnerReferences: []metav1.OwnerReference{{UID: service.UID, Controller: new(true)}},
			}}
			child, rendered := namedChild(key), &unstructured.Unstructured{Object: map[string]any{}}
			rendered.SetGroupVersionKind(key.GroupVersionKind)
			rendered.SetName(key.Name)
			w := &wanted{Child: &child, seen: &view{service: service}, live: live, rendered: rendered}
			if _, err := r.write(t.Context(), w); !errors.Is(err, sent) {
				t.Fatal(err)
			}
			if got := [2]string{string(got.UID), got.ResourceVersion}; got != want {
				t.Errorf("written under UID and version %q, want %q", got, want)
			}
		})
	}
}
