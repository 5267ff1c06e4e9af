package controllers

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

// bounded is the context of a review.
func bounded(t *testing.T, within time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// A spec is refused in the words of the condition.
func TestTheWebhookSaysWhatTheConditionSays(t *testing.T) {
	c := newSpecCheck(render.GatewaySettings{Image: "gateway:1"}, render.Kinds())
	for name, change := range map[string]func(*v1alpha1.LLMService){
		"a reference":       func(s *v1alpha1.LLMService) { s.Spec.Models[0].Upstreams = []string{"nowhere"} },
		"an image":          func(s *v1alpha1.LLMService) { s.Spec.Runtime.Image = "elsewhere/gateway:1" },
		"a size":            func(s *v1alpha1.LLMService) { s.Spec.Routes = []v1alpha1.Route{largeRoute()} },
		"nothing":           func(*v1alpha1.LLMService) {},
		"many wrong fields": func(s *v1alpha1.LLMService) { s.Spec.Models[0].Upstreams = []string{strings.Repeat("n", 4000)} },
	} {
		t.Run(name, func(t *testing.T) {
			service := serviceWith("http://a.svc/v1")
			change(service)
			verdict, err := c.check(bounded(t, time.Minute), service, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			translated, problem := translate(service, c.gateway)
			if problem == nil {
				problem = new(compiles).compileSafely(t.Context(), translated.config, logr.Discard())
			}
			if problem != nil {
				want = facts{problem: problem}.configValid().Message
			}
			if verdict.Refusal != want || (want == "") != (name == "nothing") {
				t.Errorf("refused with %q, want %q", verdict.Refusal, want)
			}
		})
	}
}

func largeRoute() v1alpha1.Route {
	return v1alpha1.Route{Path: "/large", Response: v1alpha1.Response{Body: &v1alpha1.JSON{Raw: []byte(`"` + strings.Repeat("x", 2<<20) + `"`)}}}
}

// The webhook warns of a change that replaces pods, if the spec before it was valid.
func TestTheWebhookWarnsOfAReplacement(t *testing.T) {
	valid := func(s *v1alpha1.LLMService) {
		s.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionConfigValid, Status: metav1.ConditionTrue}}
	}
	longer := func(s *v1alpha1.LLMService) { s.Spec.Runtime.MaxStreamDuration = "6m" }
	reloaded := func(s *v1alpha1.LLMService) { s.Spec.Upstreams[0].OpenAI.Model = "another" }
	for name, tt := range map[string]struct {
		change, before func(*v1alpha1.LLMService)
		warns          bool
	}{
		"a reload":                     {reloaded, valid, false},
		"a replacement":                {longer, valid, true},
		"a spec that was never served": {longer, func(*v1alpha1.LLMService) {}, false},
		"a scale":                      {func(s *v1alpha1.LLMService) { s.Spec.Replicas = new(int32(7)) }, valid, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSpecCheck(render.GatewaySettings{Image: "gateway:1"}, render.Kinds())
			before, service := serviceWith("http://a.svc/v1"), serviceWith("http://a.svc/v1")
			tt.before(before)
			tt.change(service)
			verdict, err := c.check(bounded(t, time.Minute), service, before)
			if err != nil || verdict.Refusal != "" {
				t.Fatal(verdict, err)
			}
			if warns := len(verdict.Warnings) == 1 && strings.Contains(verdict.Warnings[0], "replaces the pods"); warns != tt.warns {
				t.Errorf("warnings %q, want one: %t", verdict.Warnings, tt.warns)
			}
		})
	}
	c := newSpecCheck(render.GatewaySettings{Image: "gateway:1"}, render.Kinds())
	if verdict, err := c.check(bounded(t, time.Minute), serviceWith("http://a.svc/v1"), nil); err != nil || len(verdict.Warnings) > 0 {
		t.Errorf("a new one: %v, %v", verdict, err)
	}
}

// peak is how many of something there have been at once.
type peak struct {
	mu        sync.Mutex
	now, most int
}

func (p *peak) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now += n
	p.most = max(p.most, p.now)
}

// Specs that take long are not judged, whether they wait for room or are being compiled; their compilers end, and a namespace that
// rests is not waited for.
func TestTheWebhookEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running peak
		c := newSpecCheck(render.GatewaySettings{Image: "gateway:1"}, render.Kinds())
		compiled := make(chan string, 4)
		c.compiles.validate = func(ctx context.Context, of *config.Config) (config.Errors, error) {
			running.add(1)
			defer running.add(-1)
			compiled <- of.Service.Namespace
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		var asked sync.WaitGroup
		for _, namespace := range []string{"a", "b", "c", "a"} {
			asked.Go(func() {
				service := serviceWith("http://a.svc/v1")
				service.Namespace = namespace
				if verdict, err := c.check(bounded(t, 4*time.Second), service, nil); err == nil {
					t.Errorf("judged %+v", verdict)
				}
			})
		}
		asked.Wait()
		synctest.Wait()
		if took := time.Since(began); took > 4*time.Second || running.now > 0 || running.most != webhookCompiles {
			t.Errorf("took %v, %d run still, %d at once", took, running.now, running.most)
		}
		service := serviceWith("http://a.svc/v1")
		service.Namespace = <-compiled // any of those for which there was room
		again := time.Now()
		if _, err := c.check(bounded(t, 4*time.Second), service, nil); err == nil || time.Since(again) > 0 {
			t.Errorf("a namespace that rests: %v after %v", err, time.Since(again))
		}
	})
}
