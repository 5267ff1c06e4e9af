//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// rotatedWithin is the kubelet's time to bring a changed Secret to a mounted volume, which is up to a minute and the
// age of its cache.
const rotatedWithin = 2 * time.Minute

// TestSecretRotation gives a service the wrong key first, and then, without touching the service, the right one.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	ns := namespace(ctx, t, "secret")
	secret := func(name, key string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, StringData: map[string]string{"key": key},
		}
	}
	ok(t, cluster.Create(ctx, secret("upstream", "the-new-key")))
	gateways := secret("gateways", "the-old-key")
	ok(t, cluster.Create(ctx, gateways))
	up := must(cluster.StartUpstream(ctx, ns, scenario.UpstreamOptions{KeySecret: "upstream", Key: "key"}))(t)
	service := must(cluster.ApplySample(ctx, ns, func(s *v1alpha1.LLMService) {
		small(s)
		callOnly(s, up)
		s.Spec.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "gateways", Key: "key"},
		}}
	}))(t)
	url := must(service.URL(ctx))(t)
	ask := func(ctx context.Context) streams.Result {
		return streams.Stream(ctx, streams.NewClient(), streams.Script{Tokens: 2}.Field(url+scenario.SampleRoute, scenario.SampleField), nil)
	}
	if got := ask(ctx); got.Ending != streams.Refused || got.Status != http.StatusBadGateway {
		t.Fatalf("with a wrong key: %s with status %d, want 502", got, got.Status)
	}
	lives := must(service.Lives(ctx))(t)
	gateways.StringData = map[string]string{"key": "the-new-key"}
	ok(t, cluster.Update(ctx, gateways))
	took := must(scenario.Await(ctx, rotatedWithin, "the new key is used", func(ctx context.Context) error {
		if got := ask(ctx); got.Ending != streams.Done {
			return errors.New(got.String())
		}
		return nil
	}))(t)
	ok(t, service.CheckLives(ctx, lives))
	t.Logf("rotated after %s", took)
}

// TestMissingSecretIsTold leaves out the Secret that a service names: a condition says so, and nothing else.
func TestMissingSecretIsTold(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "nosecret", small)
	must(f.Edit(ctx, func(s *v1alpha1.LLMServiceSpec) {
		s.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "absent", Key: "key"},
		}}
	}))(t)
	must(scenario.Await(ctx, scenario.ReadyWithin, "the missing Secret is told", func(ctx context.Context) error {
		c, err := f.Condition(ctx, v1alpha1.ConditionConfigApplied)
		if err != nil {
			return err
		}
		if c == nil || c.Reason != v1alpha1.ReasonSecretMissing {
			return fmt.Errorf("ConfigApplied is %+v", c)
		}
		return nil
	}))(t)
	ok(t, cluster.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "absent"}, StringData: map[string]string{"key": "any"},
	}))
	must(scenario.Await(ctx, rotatedWithin, "the Secret is found", func(ctx context.Context) error {
		c, err := f.Condition(ctx, v1alpha1.ConditionConfigApplied)
		if err == nil && (c == nil || c.Status != metav1.ConditionTrue) {
			err = fmt.Errorf("ConfigApplied is %+v", c)
		}
		return err
	}))(t)
}
