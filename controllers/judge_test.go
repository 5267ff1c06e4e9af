package controllers

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// bench is an API server with services, and what compiles their specs.
type bench struct {
	client.Client

	t        *testing.T
	compiled atomic.Int32
	validate func(*config.Config) config.Errors
}

func newBench(t *testing.T, services ...*v1alpha1.LLMService) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.LLMService{})
	for _, service := range services {
		builder.WithObjects(service)
	}
	return &bench{Client: builder.Build(), t: t, validate: func(*config.Config) config.Errors { return nil }}
}

// operator is one that has just started.
func (b *bench) operator() *Reconciler {
	r := &Reconciler{Client: b.Client, Gateway: render.GatewaySettings{Image: "gateway:test"}}
	r.compiles.validate = func(_ context.Context, c *config.Config) (config.Errors, error) {
		b.compiled.Add(1)
		return b.validate(c), nil
	}
	return r
}

func (b *bench) view(service *v1alpha1.LLMService) *view {
	b.t.Helper()
	seen := &view{now: time.Now(), service: &v1alpha1.LLMService{}}
	if err := b.Get(b.t.Context(), client.ObjectKeyFromObject(service), seen.service); err != nil {
		b.t.Fatal(err)
	}
	return seen
}

// attempts is the mark that the service has.
func (b *bench) attempts(service *v1alpha1.LLMService) int32 {
	b.t.Helper()
	if mark := b.view(service).service.Status.Compiling; mark != nil {
		return mark.Attempts
	}
	return 0
}

// dies has an operator end while it compiles the service's spec.
func (b *bench) dies(service *v1alpha1.LLMService) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	end := make(chan struct{})
	b.validate = func(*config.Config) config.Errors {
		cancel()
		<-end
		return nil
	}
	if _, _, err := b.operator().judge(ctx, b.view(service)); !errors.Is(err, context.Canceled) {
		b.t.Fatalf("it lives, with %v", err)
	}
	close(end)
	b.validate = func(*config.Config) config.Errors { return nil }
}

// judged is what an operator that has just started says of the service.
func (b *bench) judged(service *v1alpha1.LLMService) judgement {
	b.t.Helper()
	got, wait, err := b.operator().judge(b.t.Context(), b.view(service))
	if wait > 0 || err != nil {
		b.t.Fatalf("wait %v, error %v", wait, err)
	}
	return got
}

func named(namespace string, size int) *v1alpha1.LLMService {
	service := serviceWith("http://model.test/v1")
	service.Namespace, service.Name, service.UID = namespace, "assistant", types.UID(namespace)
	service.Spec.Upstreams[0].OpenAI.Model = strings.Repeat("m", size)
	return service
}

func TestASpecIsCompiledOnce(t *testing.T) {
	service := named("team-a", 10)
	b := newBench(t, service)
	r := b.operator()
	for range 3 {
		got, _, err := r.judge(t.Context(), b.view(service))
		if err != nil || got.problem != nil || got.document.Revision() == "" {
			t.Fatalf("judged %+v, %v", got, err)
		}
	}
	if b.compiled.Load() != 1 {
		t.Errorf("compiled %d times", b.compiled.Load())
	}
	if b.attempts(service) != 0 {
		t.Error("a spec that takes no time is marked: a write for each edit")
	}
}

// TestAJudgedSpecIsNotTranslatedAgain: what is delivered is the document of the spec, until either changes.
func TestAJudgedSpecIsNotTranslatedAgain(t *testing.T) {
	service := named("team-a", 10)
	document, problem := documentOf(service, render.GatewaySettings{Image: "gateway:test"})
	if problem != nil {
		t.Fatal(problem.message)
	}
	judged := judgement{revision: document.Revision(), generation: 3}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.LLMService, *corev1.ConfigMap)
		want   bool
	}{
		"as it was":        {func(*v1alpha1.LLMService, *corev1.ConfigMap) {}, true},
		"another spec":     {func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) { s.Generation = 4 }, false},
		"another document": {func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) { c.Data[delivery.CurrentKey] = "{}" }, false},
		"another record":   {func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) { c.Annotations = nil }, false},
		"somebody else's":  {func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) { c.OwnerReferences = nil }, false},
		"an older one's record": {func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) {
			c.Annotations = recordOf(t, render.Accepted{Current: "old"})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &view{service: service.DeepCopy()}
			seen.service.Generation = 3
			configMap := &corev1.ConfigMap{Data: map[string]string{delivery.CurrentKey: string(document.Encoded)}}
			configMap.Annotations = recordOf(t, render.Accepted{Current: document.Revision(), Secrets: []string{"key"}})
			configMap.OwnerReferences = []metav1.OwnerReference{{UID: service.UID, Controller: new(true)}}
			tt.change(seen.service, configMap)
			seen.putConfigMap(configMap)
			got, ok := judged.stillHolds(seen)
			if ok != tt.want {
				t.Fatalf("known: %t, want %t", ok, tt.want)
			}
			if ok && (got.document.Revision() != judged.revision || len(got.document.Secrets) != 1) {
				t.Errorf("its document is %+v", got.document)
			}
		})
	}
}

// Whatever kills the operator kills it twice, and then it is left alone until the spec is changed.
func TestASpecThatTheOperatorDiesOfIsRefused(t *testing.T) {
	service := named("team-a", largeDocument)
	b := newBench(t, service)
	for i := range int32(maxDeaths) {
		b.dies(service)
		if got := b.attempts(service); got != i+1 {
			t.Fatalf("%d attempts are on record, want %d", got, i+1)
		}
	}
	b.compiled.Store(0)
	got := b.judged(service)
	if b.compiled.Load() > 0 || got.problem == nil || got.problem.reason != v1alpha1.ReasonCompileDied {
		t.Fatalf("judged %+v after compiling %d times", got.problem, b.compiled.Load())
	}
	seen := b.view(service)
	documents := chooseDocuments(seen, got.document, got.problem)
	status, _ := statusOf(seen, documents, b.operator().factsOf(seen, documents, outcome{}, acknowledgement{}))
	if status.Compiling == nil {
		t.Error("the mark is taken off: the spec would be tried again")
	}
	edited := b.view(service).service
	edited.Spec.Upstreams[0].OpenAI.Model = "m1"
	if err := b.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if got := b.judged(service); got.problem != nil {
		t.Errorf("judged %+v after an edit", got.problem)
	}
}

// A node that is drained ends an operator in the middle of anything.
func TestAnInnocentSpecIsTriedAgain(t *testing.T) {
	service := named("team-a", largeDocument)
	b := newBench(t, service)
	b.dies(service)
	got := b.judged(service)
	if got.problem != nil {
		t.Fatalf("judged %+v", got.problem)
	}
	seen := b.view(service)
	documents := chooseDocuments(seen, got.document, nil)
	status, _ := statusOf(seen, documents, b.operator().factsOf(seen, documents, outcome{}, acknowledgement{}))
	if status.Compiling != nil {
		t.Error("the mark stays: the next end of the operator would count as the second")
	}
}

func TestASlowSpecIsMarkedWhileItIsCompiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := named("team-a", 10)
		b := newBench(t, service)
		marked := int32(0)
		b.validate = func(*config.Config) config.Errors {
			time.Sleep(2 * slowCompile)
			marked = b.attempts(service)
			return nil
		}
		if got := b.judged(service); got.problem != nil || marked != 1 {
			t.Errorf("judged %+v, marked %d times", got.problem, marked)
		}
	})
}

// A spec during which the operator ended once may be what ends it at once the next time.
func TestASpecOfAnEndedOperatorIsMarkedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := named("team-a", 10)
		b := newBench(t, service)
		ctx, cancel := context.WithCancel(t.Context())
		b.validate = func(*config.Config) config.Errors {
			time.Sleep(2 * slowCompile)
			cancel()
			return nil
		}
		if _, _, err := b.operator().judge(ctx, b.view(service)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		marked := int32(0)
		b.validate = func(*config.Config) config.Errors {
			marked = b.attempts(service)
			return nil
		}
		if b.judged(service); marked != 2 {
			t.Errorf("%d attempts were on record when the compiler began, want 2", marked)
		}
	})
}

func TestASpecThatTakesTooLongIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := named("team-a", 10)
		b := newBench(t, service)
		b.validate = func(*config.Config) config.Errors { time.Sleep(2 * compileDeadline); return nil }
		r := b.operator()
		for range 2 {
			got, _, err := r.judge(t.Context(), b.view(service))
			if err != nil || got.problem == nil || got.problem.reason != v1alpha1.ReasonTooSlow {
				t.Fatalf("judged %+v, %v", got.problem, err)
			}
			time.Sleep(2 * compileDeadline)
		}
		if b.compiled.Load() != 1 {
			t.Errorf("compiled %d times", b.compiled.Load())
		}
	})
}

func TestACompilerThatPanicsCostsOneService(t *testing.T) {
	service := named("team-a", 10)
	b := newBench(t, service)
	b.validate = func(*config.Config) config.Errors { panic("a secret of the spec") }
	got := b.judged(service)
	if got.problem == nil || got.problem.reason != v1alpha1.ReasonInvalid || strings.Contains(got.problem.message, "secret") {
		t.Errorf("judged %+v", got.problem)
	}
}

// A tenant who edits an expensive spec over and over has one compiler at a time, a fifth of the time, and holds up nobody.
func TestExpensiveSpecsHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, other := named("team-a", 10), named("team-a", 11), named("team-b", 10)
		second.Name, second.UID = "second", "second"
		b := newBench(t, first, second, other)
		r := b.operator()
		const expensive = 5 * time.Second
		r.compiles.validate = func(_ context.Context, c *config.Config) (config.Errors, error) {
			if c.Service.Namespace != other.Namespace {
				time.Sleep(expensive)
			}
			return nil, nil
		}
		began := time.Now()
		busy := make(chan struct{})
		go func() {
			defer close(busy)
			if _, wait, err := r.judge(t.Context(), b.view(first)); wait > 0 || err != nil {
				t.Errorf("wait %v, error %v", wait, err)
			}
		}()
		synctest.Wait()
		if _, wait, err := r.judge(t.Context(), b.view(second)); wait != busyRecheck || err != nil {
			t.Errorf("the tenant's other spec: wait %v, error %v", wait, err)
		}
		if _, wait, err := r.judge(t.Context(), b.view(other)); wait > 0 || err != nil || time.Since(began) > 0 {
			t.Errorf("another tenant's spec: wait %v, error %v, after %v", wait, err, time.Since(began))
		}
		<-busy
		if _, wait, err := r.judge(t.Context(), b.view(second)); wait != compileRest*expensive || err != nil {
			t.Errorf("after an expensive spec: wait %v, error %v", wait, err)
		}
		time.Sleep(compileRest * expensive)
		if _, wait, err := r.judge(t.Context(), b.view(second)); wait > 0 || err != nil {
			t.Errorf("after a rest: wait %v, error %v", wait, err)
		}
	})
}

// However many tenants there are, most workers stay free.
func TestFewSpecsAreCompiledAtOnce(t *testing.T) {
	var c compiles
	for _, namespace := range []string{"a", "b", "c"} {
		if wait := c.enter(namespace); wait > 0 {
			t.Fatalf("namespace %s waits %v", namespace, wait)
		}
	}
	if wait := c.enter("d"); wait != busyRecheck {
		t.Errorf("the fourth waits %v", wait)
	}
	c.leave("b", time.Millisecond)
	if wait := c.enter("d"); wait > 0 {
		t.Errorf("where there is room again, it waits %v", wait)
	}
}
