package controllers

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/webhook"
)

// webhookCompiles is how many specs are compiled at once for the webhook. Its room is its own, so that questions that anyone in the
// cluster may ask delay no reconcile.
const webhookCompiles = 2

var errNoRoom = errors.New("it takes too long to compile, or many specs are being compiled")

// specCheck judges specs for the webhook as reconciling judges them.
type specCheck struct {
	gateway  render.GatewaySettings
	children render.Table
	compiles compiles
}

func newSpecCheck(gateway render.GatewaySettings, children render.Table) *specCheck {
	return &specCheck{gateway: gateway, children: children, compiles: compiles{most: webhookCompiles}}
}

var _ webhook.Check = (*specCheck)(nil).check

// check ends with the context, which has a deadline. A service has not been stored yet, so nothing is remembered of it.
func (c *specCheck) check(ctx context.Context, service, before *v1alpha1.LLMService) (webhook.Verdict, error) {
	translated, problem := translate(service, c.gateway)
	if problem == nil {
		var err error
		if problem, err = c.compile(ctx, service.Namespace, translated); err != nil {
			return webhook.Verdict{}, err
		}
	}
	if problem != nil {
		return webhook.Verdict{Refusal: cut(problem.message, maxMessage)}, nil
	}
	warnings := webhook.Warnings(service, before)
	if c.replacesPods(service, translated, before) {
		warnings = append(warnings, "spec: this change replaces the pods, one after the other; their streams end first")
	}
	return webhook.Verdict{Warnings: warnings}, nil
}

// compile waits for room, and then for the compiler.
func (c *specCheck) compile(ctx context.Context, namespace string, translated translation) (*problem, error) {
	deadline, _ := ctx.Deadline()
	for wait := c.compiles.enter(namespace); wait > 0; wait = c.compiles.enter(namespace) {
		if time.Until(deadline) <= wait {
			return nil, errNoRoom
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, errNoRoom
		}
	}
	select {
	case problem := <-c.compiles.run(ctx, namespace, translated.config, log.FromContext(ctx)):
		if problem != nil && problem.reason == v1alpha1.ReasonTooSlow {
			return nil, errNoRoom
		}
		return problem, nil
	case <-ctx.Done():
		return nil, errNoRoom
	}
}

// replacesPods reports whether a change gives the pods another template. It says nothing of a service whose pods run an earlier
// spec than the one before.
func (c *specCheck) replacesPods(service *v1alpha1.LLMService, after translation, before *v1alpha1.LLMService) bool {
	if before == nil || !meta.IsStatusConditionTrue(before.Status.Conditions, v1alpha1.ConditionConfigValid) {
		return false
	}
	was, problem := translate(before, c.gateway)
	if problem != nil {
		return false
	}
	old, next := c.podTemplate(before, was), c.podTemplate(service, after)
	return old != nil && next != nil && !equality.Semantic.DeepEqual(old, next)
}

// podTemplate is nil if the service cannot be rendered.
func (c *specCheck) podTemplate(service *v1alpha1.LLMService, translated translation) map[string]any {
	children, err := c.children.Children(render.Input{Service: service, Current: translated.document, Replicas: 1, Gateway: c.gateway})
	if err != nil {
		return nil
	}
	for _, child := range children {
		if child.Key() != render.GatewaysKey(service.Name) {
			continue
		}
		if object, err := child.Unstructured(); err == nil {
			template, _, _ := unstructured.NestedMap(object.Object, "spec", "template")
			return template
		}
	}
	return nil
}
