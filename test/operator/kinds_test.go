package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	acappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/apiserver"
)

// The kinds of these tests are not the product's: they are driven by labels of the service.
const (
	ticketsLabel = "tickets"
	canaryLabel  = "canary"
)

var ticketKind = schema.GroupVersionKind{Group: "tickets.test", Version: "v1", Kind: "Ticket"}

// ticketApply is the apply configuration of a kind without a Go type.
type ticketApply struct {
	acmetav1.TypeMetaApplyConfiguration    `json:",inline"`
	*acmetav1.ObjectMetaApplyConfiguration `json:"metadata"`

	Spec map[string]string `json:"spec"`
}

func (ticketApply) IsApplyConfiguration() {}

// tickets has as many objects as the label says.
func tickets(in render.Input) ([]render.Child, error) {
	n, _ := strconv.Atoi(in.Service.Labels[ticketsLabel])
	var children []render.Child
	for i := range n {
		meta := acmetav1.ObjectMeta().WithName(fmt.Sprintf("%s-ticket-%d", in.Service.Name, i)).WithNamespace(in.Service.Namespace)
		children = append(children, render.NewChild(ticketApply{
			*acmetav1.TypeMeta().WithAPIVersion(ticketKind.GroupVersion().String()).WithKind(ticketKind.Kind), meta,
			map[string]string{"seat": strconv.Itoa(i)},
		}, meta))
	}
	return children, nil
}

// withMore is the table with what more builds besides for a kind that it has.
func withMore(kind string, more func(render.Input) render.Child) render.Table {
	table := render.Kinds()
	for i := range table {
		if build := table[i].Build; table[i].Kind == kind {
			table[i].Build = func(in render.Input) ([]render.Child, error) {
				children, err := build(in)
				if err == nil && in.Service.Labels[canaryLabel] != "" {
					children = append(children, more(in))
				}
				return children, err
			}
		}
	}
	return table
}

// has gives the operators to come another table of children.
func (s *system) has(table render.Table) {
	s.options = func(options *controllers.Options) { options.Children = table }
}

func labelled(label, value string) func(*v1alpha1.LLMService) {
	return func(l *v1alpha1.LLMService) {
		if l.Labels == nil {
			l.Labels = map[string]string{}
		}
		l.Labels[label] = value
	}
}

// TestAnOptionalKindComesAndGoes: an object of a kind is there while its CRD is, whatever the order, and the operator runs
// through all of it.
func TestAnOptionalKindComesAndGoes(t *testing.T) {
	s := alone(t)
	s.has(append(render.Kinds(), render.Kind{GroupVersionKind: ticketKind, Build: tickets, Optional: true}))
	s.allowTickets()
	s.run(nil)
	service := s.create("assistant", labelled(ticketsLabel, "2"))
	s.up(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()

	s.installTickets()
	s.awaitTickets(service, 2)
	s.settle()
	s.restoresTickets(service)

	s.edit(service, labelled(ticketsLabel, "1"))
	s.awaitTickets(service, 1)
	s.settle()

	s.removeTickets()
	front := children(service)["Service"]
	before := s.content(t, front)
	edit(t, front, func() { front.SetAnnotations(nil) })
	s.awaitContent(t, front, before)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()

	s.installTickets()
	s.awaitTickets(service, 1)
	s.restoresTickets(service)
	s.settle()
}

// TestNothingIsReconciledBeforeTheFirstLook: a status that says of a kind that nobody has looked for it yet would be news to those
// who watch it, at each restart.
func TestNothingIsReconciledBeforeTheFirstLook(t *testing.T) {
	s := alone(t)
	s.create("assistant", everything)
	before, early := reconciles(t), make(chan float64, 1)
	hold := sync.OnceFunc(func() { early <- reconcilesIn(t, quietWindow) - before })
	s.interrupt = func(sent *http.Request) *http.Response {
		if sent.URL.Path == "/apis/monitoring.coreos.com/v1" {
			hold()
		}
		return nil
	}
	s.run(nil)
	if got := <-early; got != 0 {
		t.Errorf("%v reconciles before the API server had told whether it has PodMonitors, want none", got)
	}
}

// reconcilesIn waits for a reconcile for this long, and returns how many there have been.
func reconcilesIn(t *testing.T, long time.Duration) float64 {
	t.Helper()
	before, deadline := reconciles(t), time.Now().Add(long)
	for time.Now().Before(deadline) && reconciles(t) == before {
		time.Sleep(10 * time.Millisecond)
	}
	return reconciles(t)
}

// TestAnOptionalKindIsThereFromTheFirst: a restart neither deletes nor writes what there is of it.
func TestAnOptionalKindIsThereFromTheFirst(t *testing.T) {
	s := alone(t)
	s.has(append(render.Kinds(), render.Kind{GroupVersionKind: ticketKind, Build: tickets, Optional: true}))
	s.allowTickets()
	s.installTickets()
	s.run(nil)
	service := s.create("assistant", everything, labelled(ticketsLabel, "1"))
	s.up(service)
	s.awaitTickets(service, 1)
	s.settle()
	s.stop()

	s.run(nil)
	s.restoresTickets(service) // it is watched again
	s.settle()
	s.take()
	s.storm(service)
	s.silent(t)
}

func (s *system) awaitTickets(service *v1alpha1.LLMService, want int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d tickets", want), func() error {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(ticketKind.GroupVersion().WithKind("TicketList"))
		if err := api.List(s.t.Context(), list, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("%d tickets", len(list.Items))
		}
		for i := range list.Items {
			if !metav1.IsControlledBy(&list.Items[i], service) {
				return fmt.Errorf("%s is not the service's", list.Items[i].GetName())
			}
		}
		return nil
	})
}

// restoresTickets changes the first by hand, and deletes it.
func (s *system) restoresTickets(service *v1alpha1.LLMService) {
	s.t.Helper()
	ticket := &unstructured.Unstructured{}
	ticket.SetGroupVersionKind(ticketKind)
	ticket.SetNamespace(service.Namespace)
	ticket.SetName(service.Name + "-ticket-0")
	before := s.content(s.t, ticket)
	edit(s.t, ticket, func() {
		if err := unstructured.SetNestedField(ticket.Object, "by hand", "spec", "seat"); err != nil {
			s.t.Fatal(err)
		}
	})
	s.awaitContent(s.t, ticket, before)
	if err := api.Delete(s.t.Context(), ticket); err != nil {
		s.t.Fatal(err)
	}
	s.awaitContent(s.t, ticket, before)
}

func ticketDefinition() *unstructured.Unstructured {
	definition := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"group": ticketKind.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": ticketKind.Kind, "listKind": "TicketList", "plural": "tickets", "singular": "ticket"},
			"versions": []any{map[string]any{
				"name": ticketKind.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": map[string]any{
						"type": "object", "properties": map[string]any{"seat": map[string]any{"type": "string"}},
					}},
				}},
			}},
		},
	}}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName("tickets." + ticketKind.Group)
	return definition
}

func (s *system) installTickets() {
	s.t.Helper()
	// The one of another test may not be gone yet.
	eventually(s.t, "definition", func() error { return api.Create(s.t.Context(), ticketDefinition()) })
	s.t.Cleanup(func() { _ = api.Delete(context.Background(), ticketDefinition()) })
}

// removeTickets waits until the definition is gone, and all objects with it.
func (s *system) removeTickets() {
	s.t.Helper()
	definition := ticketDefinition()
	if err := api.Delete(s.t.Context(), definition); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "end of the kind", func() error {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(definition), definition); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is still there"), err)
		}
		return nil
	})
}

// allowTickets gives the operator the rights that the marker of a builder would.
func (s *system) allowTickets() {
	s.t.Helper()
	name := metav1.ObjectMeta{Name: "tickets-" + s.namespace}
	for _, object := range []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{ticketKind.Group}, Resources: []string{"tickets"},
			Verbs: []string{"get", "list", "watch", "create", "patch", "delete"},
		}}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: apiserver.Namespace, Name: apiserver.ServiceAccount}},
		},
	} {
		if err := api.Create(s.t.Context(), object); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = api.Delete(context.Background(), object) })
	}
}

// TestSeveralObjectsOfAKind: each is applied, restored and deleted on its own, while the other one of its kind stays.
func TestSeveralObjectsOfAKind(t *testing.T) {
	for kind, more := range map[string]func(render.Input) render.Child{
		"ConfigMap": func(in render.Input) render.Child {
			another := accorev1.ConfigMap(in.Service.Name+"-more", in.Service.Namespace).WithData(map[string]string{"current": "{}"})
			return render.NewChild(another, another.ObjectMetaApplyConfiguration)
		},
		"Deployment": func(in render.Input) render.Child {
			labels := map[string]string{canaryLabel: in.Service.Name}
			canary := acappsv1.Deployment(in.Service.Name+"-canary", in.Service.Namespace).WithSpec(acappsv1.DeploymentSpec().
				WithReplicas(0).
				WithSelector(acmetav1.LabelSelector().WithMatchLabels(labels)).
				WithTemplate(accorev1.PodTemplateSpec().WithLabels(labels).
					WithSpec(accorev1.PodSpec().WithContainers(accorev1.Container().WithName("gateway").WithImage("canary")))))
			return render.NewChild(canary, canary.ObjectMetaApplyConfiguration)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			s := alone(t)
			s.has(withMore(kind, more))
			s.allowDeletion()
			s.run(nil)
			service := s.create("assistant", labelled(canaryLabel, "true"))
			s.up(service)
			s.settle()
			first, second := children(service)[kind], children(service)[kind]
			second.SetName(map[string]string{"ConfigMap": "assistant-more", "Deployment": "assistant-canary"}[kind])
			firstBefore, secondBefore := s.content(t, first), s.content(t, second)
			if !metav1.IsControlledBy(second, service) {
				t.Error("the second is not the service's")
			}

			edit(t, second, func() { second.SetAnnotations(nil) })
			s.awaitContent(t, second, secondBefore)
			if err := api.Delete(t.Context(), second); err != nil {
				t.Fatal(err)
			}
			s.awaitContent(t, second, secondBefore)
			byHand := s.controlledByHand(service)

			s.edit(service, func(l *v1alpha1.LLMService) { l.Labels = nil })
			eventually(t, "end of the second", func() error {
				if exists(t, client.ObjectKeyFromObject(second), second) && second.GetDeletionTimestamp() == nil {
					return errors.New("it is still there")
				}
				return nil
			})
			s.awaitContent(t, first, firstBefore)
			if !exists(t, client.ObjectKeyFromObject(byHand), byHand) {
				t.Error("what the operator did not make was deleted with it")
			}
			s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
			s.settle()
		})
	}
}

// controlledByHand is an object that somebody made, and said that it was the service's.
func (s *system) controlledByHand(service *v1alpha1.LLMService) *corev1.ConfigMap {
	s.t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.namespace, Name: service.Name + "-by-hand", Labels: render.Labels(service),
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(service, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))},
	}}
	if err := api.Create(s.t.Context(), object); err != nil {
		s.t.Fatal(err)
	}
	return object
}
