//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
)

// TestBrokenSpec edits a service into one that cannot be served, in each way that the API lets through. The operator
// names the field, and the last good config is served on: by the pods there are, and by those that start meanwhile.
func TestBrokenSpec(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "broken", small)
	good := must(f.Get(ctx))(t).Spec
	revision := must(f.Revision(ctx))(t)

	for _, c := range []struct {
		name, path string
		edit       func(*v1alpha1.LLMServiceSpec)
	}{
		{"unknown upstream", "spec.routes[0].steps[0].chat.upstream", func(s *v1alpha1.LLMServiceSpec) {
			s.Routes[0].Steps[0].Chat.Upstream = "nobody"
		}},
		{"schema that does not compile", "spec.routes[0].request.schema", func(s *v1alpha1.LLMServiceSpec) {
			s.Routes[0].Request = &v1alpha1.Request{Schema: &v1alpha1.JSON{Raw: []byte(`{"type": "sting"}`)}}
		}},
		{"bad URL", "spec.upstreams[0].endpoints[0].url", func(s *v1alpha1.LLMServiceSpec) {
			s.Upstreams[0].Endpoints[0].URL = "http://user:password@model.example"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(f.Edit(ctx, c.edit))(t)
			must(f.AwaitCondition(ctx, scenario.AcknowledgedWithin, v1alpha1.ConditionConfigValid, metav1.ConditionFalse))(t)
			invalid := must(f.Condition(ctx, v1alpha1.ConditionConfigValid))(t)
			if !strings.Contains(invalid.Message, c.path) {
				t.Errorf("ConfigValid=False does not name %s: %s", c.path, invalid.Message)
			}
			if strings.Contains(invalid.Message, "password") {
				t.Error("the condition repeats the URL's password")
			}
			t.Run("running pods serve on", func(t *testing.T) { serves(ctx, t, f, revision) })
			must(f.Edit(ctx, func(s *v1alpha1.LLMServiceSpec) { *s = *good.DeepCopy() }))(t)
			must(f.AwaitReady(ctx))(t)
		})
	}
	t.Run("newly started pods serve the last good config", func(t *testing.T) {
		must(f.Edit(ctx, func(s *v1alpha1.LLMServiceSpec) { s.Routes[0].Steps[0].Chat.Upstream = "nobody" }))(t)
		must(f.AwaitCondition(ctx, scenario.AcknowledgedWithin, v1alpha1.ConditionConfigValid, metav1.ConditionFalse))(t)
		replacePods(ctx, t, f)
		serves(ctx, t, f, revision)
	})
}

// serves checks that a service answers, with the config of a revision.
func serves(ctx context.Context, t *testing.T, f *fixture, revision string) {
	t.Helper()
	if now := must(f.Revision(ctx))(t); now != revision {
		t.Errorf("revision %s is served, want %s", now, revision)
	}
	must(scenario.StreamTokenByToken(ctx, f.upstream, scenario.Ask(must(f.URL(ctx))(t))))(t)
}

// replacePods deletes a service's pods and waits for others.
func replacePods(ctx context.Context, t *testing.T, f *fixture) {
	t.Helper()
	before := must(f.Lives(ctx))(t)
	for _, pod := range must(f.Live(ctx))(t) {
		ok(t, cluster.Delete(ctx, &pod))
	}
	must(scenario.Await(ctx, scenario.ReadyWithin, "all pods are new", func(ctx context.Context) error {
		after, err := f.Lives(ctx)
		if err != nil {
			return err
		}
		for uid := range after {
			if _, old := before[uid]; old {
				return errors.New("an old pod is still live")
			}
		}
		if len(after) == 0 {
			return errors.New("no pod is live")
		}
		return nil
	}))(t)
}
