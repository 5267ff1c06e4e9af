package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// installOptionalKinds installs the CustomResourceDefinitions of testdata. Each says where it is from.
func installOptionalKinds() error {
	files, err := filepath.Glob(filepath.Join("testdata", "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		return errors.Join(errors.New("no definitions"), err)
	}
	for _, file := range files {
		definition, err := definitionOf(file)
		if err != nil {
			return err
		}
		if err := api.Create(context.Background(), definition); err != nil {
			return fmt.Errorf("install %s: %w", file, err)
		}
	}
	return nil
}

func definitionOf(file string) (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	definition := &unstructured.Unstructured{}
	return definition, sigsyaml.Unmarshal(text, &definition.Object)
}

// accept plays the controller of the Gateways: it reports on each parent of the service's route, if it has one, with a condition
// that is True or False for a reason.
func (s *system) accept(service *v1alpha1.LLMService, kind, status, reason string) {
	s.t.Helper()
	if service.Spec.Exposure == nil || service.Spec.Exposure.HTTPRoute == nil {
		return
	}
	route := objectOf(render.RouteKind).(*unstructured.Unstructured)
	eventually(s.t, "a route", func() error {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), route); err != nil {
			return err
		}
		parents, _, err := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
		if err != nil {
			return err
		}
		var reports []any
		for _, parent := range parents {
			reports = append(reports, map[string]any{
				"parentRef": parent, "controllerName": "gateways.test/controller", "conditions": []any{map[string]any{
					"type": kind, "status": status, "reason": reason, "message": "as the test says", "observedGeneration": route.GetGeneration(),
					"lastTransitionTime": metav1.Now().Format(time.RFC3339),
				}},
			})
		}
		route.Object["status"] = map[string]any{"parents": reports}
		return api.Status().Update(s.t.Context(), route)
	})
}

func routed(l *v1alpha1.LLMService) {
	l.Spec.Exposure = &v1alpha1.Exposure{HTTPRoute: &v1alpha1.HTTPRouteExposure{
		ParentRefs: []v1alpha1.RouteParent{{Name: "public", Namespace: "infra", SectionName: "web"}},
		Hostnames:  []string{"*.example.com", "assistant.example.com"},
	}}
}

// TestARouteIsReported: what the parents say of a route is the service's condition, and its hostname is the service's.
func TestARouteIsReported(t *testing.T) {
	s := start(t)
	service := s.create("assistant", routed)
	message := s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/Pending")
	if want := "No controller has reported yet on Gateway infra/public listener web"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	s.up(service)
	s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "True/Accepted")
	if want := "https://assistant.example.com"; service.Status.URL != want {
		t.Errorf("status.url is %s, want %s", service.Status.URL, want)
	}
	s.settle()

	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		s.accept(service, kind, "False", "RefNotPermitted")
		message = s.awaitCondition(service, v1alpha1.ConditionReady, "False/NotAccepted")
		if want := "Gateway infra/public listener web: RefNotPermitted: as the test says"; message != want {
			t.Errorf("message %q, want %q", message, want)
		}
		s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/NotAccepted")
		s.accept(service, "Accepted", "True", "Accepted")
		s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	}

	// What was said of the route as it was says nothing of it as it is.
	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Exposure.HTTPRoute.Hostnames = []string{"other.example.com"} })
	s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/Pending")
	s.accept(service, "Accepted", "True", "Accepted")
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()

	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Exposure.HTTPRoute = nil })
	eventually(t, "end of the route", func() error {
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			return err
		}
		if exists(t, client.ObjectKeyFromObject(service), objectOf(render.RouteKind)) {
			return errors.New("it is still there")
		}
		if c := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionRouteAccepted); c != nil {
			return fmt.Errorf("condition %s", c.Reason)
		}
		if want := "http://assistant." + s.namespace + ".svc"; service.Status.URL != want {
			return fmt.Errorf("status.url is %s, want %s", service.Status.URL, want)
		}
		return nil
	})
	s.settle()
}

// TestARouteWithoutItsKind: a cluster may lack the Gateway API, or lose it, and the operator may lack the right to it. The service
// says which, and is ready once there is a route.
func TestARouteWithoutItsKind(t *testing.T) {
	definition, err := definitionOf(filepath.Join("testdata", "crds", "httproutes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := alone(t)
	var forbidden atomic.Bool
	s.interrupt = func(sent *http.Request) *http.Response {
		if forbidden.Load() && strings.HasSuffix(sent.URL.Path, "/httproutes") {
			return refused(sent, http.StatusForbidden)
		}
		return nil
	}
	forbidden.Store(true)
	s.run(nil)
	service := s.create("assistant", routed)
	revision := s.fleet.awaitDelivery(service, "")
	s.fleet.pod(service, "assistant-a", revision)
	s.fleet.pod(service, "assistant-b", revision)
	awaitMessage := func(want string) {
		t.Helper()
		eventually(t, want, func() error {
			if message := s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/KindUnavailable"); !strings.Contains(message, want) {
				return fmt.Errorf("message %q", message)
			}
			return nil
		})
	}
	awaitMessage("has no right to read HTTPRoute (gateway.networking.k8s.io/v1)")
	if want := "http://assistant." + s.namespace + ".svc"; service.Status.URL != want {
		t.Errorf("status.url is %s, want %s", service.Status.URL, want)
	}
	s.settle()
	forbidden.Store(false)
	s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/Pending")

	t.Cleanup(func() { // other tests need it
		if _, err := installed(definition); err != nil {
			t.Error(err)
		}
	})
	if err := api.Delete(t.Context(), definition.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	awaitMessage("The cluster has no HTTPRoute (gateway.networking.k8s.io/v1): install its CustomResourceDefinition")
	eventually(t, "the definition again", func() error {
		there, err := installed(definition)
		if err == nil && !there {
			err = errors.New("the old one is still there")
		}
		return err
	})
	s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "False/Pending")
	s.accept(service, "Accepted", "True", "Accepted")
	s.awaitCondition(service, v1alpha1.ConditionRouteAccepted, "True/Accepted")
	s.settle()
}

// installed creates a definition unless it is there, and reports whether it will stay.
func installed(definition *unstructured.Unstructured) (bool, error) {
	ctx := context.Background()
	if err := api.Create(ctx, definition.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
		return false, err
	}
	now := definition.DeepCopy()
	err := api.Get(ctx, client.ObjectKeyFromObject(definition), now)
	return now.GetDeletionTimestamp() == nil, err
}
