package controllers

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// route is the HTTPRoute that a service wants, and what its parents say of it.
type route struct {
	parents []v1alpha1.RouteParent
	// unavailable is the reason why the operator can make no HTTPRoute; empty if it can.
	unavailable string
	namespace   string
	generation  int64
	reports     []parentReport
}

// parentReport is what one controller says of a route at one parent.
type parentReport struct {
	ParentRef  v1alpha1.RouteParent `json:"parentRef"`
	Conditions []struct {
		Type               string `json:"type"`
		Status             string `json:"status"`
		Reason             string `json:"reason"`
		Message            string `json:"message"`
		ObservedGeneration int64  `json:"observedGeneration"`
	} `json:"conditions"`
}

// routeOf is nil if the service wants no route.
func (r *Reconciler) routeOf(seen *view, served *v1alpha1.LLMService) *route {
	if served.Spec.Exposure == nil || served.Spec.Exposure.HTTPRoute == nil {
		return nil
	}
	key := render.RouteKey(served.Name)
	found := &route{
		parents:     served.Spec.Exposure.HTTPRoute.ParentRefs,
		namespace:   served.Namespace,
		unavailable: r.optional.whyMissing(render.RouteKind),
	}
	live := liveChild[*unstructured.Unstructured](seen, key)
	if live == nil || !seen.owns(live) {
		return found
	}
	status, _, _ := unstructured.NestedMap(live.Object, "status")
	var reported struct {
		Parents []parentReport `json:"parents"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &reported); err == nil {
		found.generation, found.reports = live.GetGeneration(), reported.Parents
	}
	return found
}

// The types of conditions of a route at a parent (https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus).
var routeConditions = []string{"Accepted", "ResolvedRefs"}

// accepted is zero if no route is wanted.
func (r *route) accepted() metav1.Condition {
	accepted := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionRouteAccepted, status, reason, message)
	}
	if r == nil {
		return metav1.Condition{}
	}
	if r.unavailable != "" {
		return accepted(metav1.ConditionFalse, v1alpha1.ReasonKindUnavailable, r.unavailable)
	}
	var refusals, pending []string
	for i := range r.parents {
		refusal, told := r.at(&r.parents[i])
		switch {
		case refusal != "":
			refusals = append(refusals, r.nameOf(&r.parents[i])+": "+refusal)
		case !told:
			pending = append(pending, r.nameOf(&r.parents[i]))
		}
	}
	switch {
	case len(refusals) > 0:
		return accepted(metav1.ConditionFalse, v1alpha1.ReasonNotAccepted, strings.Join(refusals, "; "))
	case len(pending) > 0:
		return accepted(metav1.ConditionFalse, v1alpha1.ReasonPending, "No controller has reported yet on "+strings.Join(pending, ", "))
	default:
		return accepted(metav1.ConditionTrue, v1alpha1.ReasonAccepted, "Every parent accepts the HTTPRoute")
	}
}

// at returns why a parent does not take the route as it is now, or whether it said that it does.
func (r *route) at(parent *v1alpha1.RouteParent) (refusal string, told bool) {
	for i := range r.reports {
		if !r.same(&r.reports[i].ParentRef, parent) {
			continue
		}
		for _, c := range r.reports[i].Conditions {
			known := c.Type == routeConditions[0] || c.Type == routeConditions[1]
			switch {
			case !known, c.ObservedGeneration != 0 && c.ObservedGeneration < r.generation:
			case c.Status == string(metav1.ConditionFalse):
				return withReason(c.Reason, c.Message), true
			case c.Type == routeConditions[0] && c.Status == string(metav1.ConditionTrue):
				told = true
			}
		}
	}
	return "", told
}

func (r *route) same(a, b *v1alpha1.RouteParent) bool { return r.whole(a) == r.whole(b) }

// whole is a reference with its defaults.
func (r *route) whole(parent *v1alpha1.RouteParent) v1alpha1.RouteParent {
	whole := *parent
	whole.Group = cmp.Or(whole.Group, render.RouteKind.Group)
	whole.Kind = cmp.Or(whole.Kind, "Gateway")
	whole.Namespace = cmp.Or(whole.Namespace, r.namespace)
	return whole
}

func (r *route) nameOf(parent *v1alpha1.RouteParent) string {
	whole := r.whole(parent)
	name := fmt.Sprintf("%s %s/%s", whole.Kind, whole.Namespace, whole.Name)
	if whole.SectionName != "" {
		name += " listener " + whole.SectionName
	}
	return name
}
