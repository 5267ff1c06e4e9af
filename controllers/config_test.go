package controllers

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// serviceWith returns a service whose only upstream is at this URL.
func serviceWith(url string) *v1alpha1.LLMService {
	return &v1alpha1.LLMService{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "assistant", UID: "u1"},
		Spec: v1alpha1.LLMServiceSpec{
			Runtime: &v1alpha1.Runtime{MaxInFlight: 10, MaxStreamDuration: "5m"},
			Upstreams: []v1alpha1.Upstream{{
				Name: "fast", Type: "OpenAI", OpenAI: &v1alpha1.OpenAIUpstream{Model: "m"},
				Endpoints: []v1alpha1.Endpoint{{URL: url}},
				Timeouts:  &v1alpha1.UpstreamTimeouts{Connect: "1s", FirstToken: "1s", Idle: "1s", Total: "1s"},
			}},
			Models: []v1alpha1.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		},
	}
}

func encoded(t *testing.T, url string) string {
	t.Helper()
	document, problem := documentOf(serviceWith(url), render.GatewaySettings{Image: "gateway:test"})
	if problem != nil {
		t.Fatal(problem.message)
	}
	return string(document.Encoded)
}

func revision(document string) string { return render.Document{Encoded: []byte(document)}.Revision() }

func recordOf(t *testing.T, a render.Accepted) map[string]string {
	t.Helper()
	encoded, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{render.AcceptedAnnotation: string(encoded)}
}

func TestDocuments(t *testing.T) {
	a, b, c := encoded(t, "http://a.svc/v1"), encoded(t, "http://b.svc/v1"), encoded(t, "http://c.svc/v1")
	tests := []struct {
		name                  string
		spec                  string
		liveCurrent, liveLast string
		reported, served      string
		foreign               bool
		// recorded is the current document of the record, liveCurrent if it is empty, and recordedLast the last good one,
		// liveLast if it is empty; unrecorded has no record at all.
		recorded, recordedLast   string
		unrecorded               bool
		wantCurrent, wantLast    string
		wantProblem, wantMessage string
	}{
		{name: "first", spec: "http://a.svc/v1", wantCurrent: a},
		{name: "settled", spec: "http://b.svc/v1", liveCurrent: b, liveLast: a, reported: b, served: b, wantCurrent: b, wantLast: a},
		{name: "what was served becomes the last good one", spec: "http://c.svc/v1", liveCurrent: b, liveLast: a, reported: b, served: b, wantCurrent: c, wantLast: b},
		{name: "what nobody served does not", spec: "http://c.svc/v1", liveCurrent: b, liveLast: a, reported: b, served: a, wantCurrent: c, wantLast: a},
		{name: "what somebody else wrote does not", spec: "http://c.svc/v1", liveCurrent: b, liveLast: a, reported: a, served: b, wantCurrent: c, wantLast: a},
		{
			name: "a broken spec carries on", spec: "ftp://a", liveCurrent: b, liveLast: a, reported: b, served: b,
			wantCurrent: b, wantLast: a, wantProblem: v1alpha1.ReasonInvalid, wantMessage: "spec.upstreams[0].endpoints[0].url (upstreams[fast]): ",
		},
		{name: "broken from the first", spec: "ftp://a", wantProblem: v1alpha1.ReasonInvalid, wantMessage: "spec.upstreams[0].endpoints[0].url (upstreams[fast]): "},
		{name: "somebody else's ConfigMap is not read", spec: "ftp://a", liveCurrent: b, foreign: true, wantProblem: v1alpha1.ReasonInvalid},
		{
			name: "what a later release would refuse is carried on", spec: "ftp://a", liveCurrent: `{"version":"v0"}`, liveLast: a,
			wantCurrent: `{"version":"v0"}`, wantLast: a, wantProblem: v1alpha1.ReasonInvalid,
		},
		{
			name: "what somebody changed is not carried on", spec: "ftp://a", liveCurrent: c, recorded: b, liveLast: a,
			wantCurrent: a, wantLast: a, wantProblem: v1alpha1.ReasonInvalid,
		},
		{
			name: "a last good one that somebody changed is not carried on", spec: "ftp://a", liveCurrent: b, liveLast: c, recordedLast: a,
			wantCurrent: b, wantProblem: v1alpha1.ReasonInvalid,
		},
		{
			name: "without a record, what was reported is carried on", spec: "ftp://a", unrecorded: true, liveCurrent: b, liveLast: a, reported: b,
			wantCurrent: b, wantLast: a, wantProblem: v1alpha1.ReasonInvalid,
		},
		{
			name: "without a record, what was never reported is not", spec: "ftp://a", unrecorded: true, liveCurrent: c, liveLast: "garbage", reported: b,
			wantProblem: v1alpha1.ReasonInvalid,
		},
		{
			name: "too large", spec: "http://" + strings.Repeat("a", config.MaxBytes) + "/v1", liveCurrent: b, wantCurrent: b,
			wantProblem: v1alpha1.ReasonTooLarge, wantMessage: "spec: the config has ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := &view{service: serviceWith(tt.spec)}
			if tt.reported != "" {
				seen.service.Status.Config = &v1alpha1.ConfigStatus{Revision: delivery.Revision([]byte(tt.reported))}
			}
			seen.load.Pods = []load.PodLoad{
				{Status: report.Status{Revision: delivery.Revision([]byte(tt.served))}},
				{Terminating: true, Status: report.Status{Revision: delivery.Revision([]byte(tt.liveCurrent))}},
			}
			if tt.liveCurrent != "" {
				configMap := &corev1.ConfigMap{Data: map[string]string{delivery.CurrentKey: tt.liveCurrent, delivery.LastGoodKey: tt.liveLast}}
				seen.putConfigMap(configMap)
				if !tt.unrecorded {
					configMap.Annotations = recordOf(t, render.Accepted{
						Current:  revision(cmp.Or(tt.recorded, tt.liveCurrent)),
						LastGood: revision(cmp.Or(tt.recordedLast, tt.liveLast)), Runtime: &v1alpha1.Runtime{Image: "accepted"},
					})
				}
				if !tt.foreign {
					configMap.OwnerReferences = []metav1.OwnerReference{{UID: "u1", Controller: new(true)}}
				}
			}
			got := chosen(seen, render.GatewaySettings{Image: "gateway:test"})
			wantImage := "" // the spec's own
			if tt.wantProblem != "" && !tt.unrecorded {
				wantImage = "accepted"
			}
			if got.accepted != nil && got.accepted.Spec.Runtime.Image != wantImage {
				t.Errorf("children are rendered from image %q, want %q", got.accepted.Spec.Runtime.Image, wantImage)
			}
			if known := tt.wantProblem == "" || tt.liveCurrent != "" && !tt.foreign && !tt.unrecorded; known != (got.accepted != nil) {
				t.Errorf("accepted = %v, want it known: %v", got.accepted, known)
			}
			if diff := gocmp.Diff([]string{tt.wantCurrent, tt.wantLast}, []string{string(got.current.Encoded), string(got.lastGood.Encoded)}); diff != "" {
				t.Errorf("current and last good (-want +got):\n%s", diff)
			}
			if got.problem == nil {
				got.problem = &problem{}
			}
			if got.problem.reason != tt.wantProblem || !strings.HasPrefix(got.problem.message, tt.wantMessage) {
				t.Errorf("problem = %.200v, want %q %q…", *got.problem, tt.wantProblem, tt.wantMessage)
			}
		})
	}
}

func TestForeignImagesAreRefused(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	seen.service.Spec.Runtime.Image = "elsewhere.example.com/gateway:v1"
	got := chosen(seen, render.GatewaySettings{Image: "gateway:test"})
	if got.problem == nil || got.problem.reason != v1alpha1.ReasonNotAllowed || !strings.HasPrefix(got.problem.message, "spec.runtime.image: ") {
		t.Errorf("problem = %+v, want spec.runtime.image not to be allowed", got.problem)
	}
	if got = chosen(seen, render.GatewaySettings{Image: "gateway:test", AllowedImages: []string{"elsewhere.example.com/*"}}); got.problem != nil {
		t.Errorf("problem = %+v, want none", got.problem)
	}
}

// A condition says at once which fields are not allowed, and which are wrong in any case.
func TestForeignHostsAreRefused(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	seen.service.Spec.Runtime.PodTemplate = &v1alpha1.JSON{Raw: []byte(`{"spec":{"hostNetwork":true}}`)}
	got := chosen(seen, render.GatewaySettings{Image: "gateway:test", AllowedHosts: render.Hosts{"b.svc"}})
	const want = "spec.upstreams[0].endpoints[0].url: the host a.svc is not one that this operator allows, want one of b.svc; spec.runtime.podTemplate.spec.hostNetwork: "
	if got.problem == nil || got.problem.reason != v1alpha1.ReasonNotAllowed || !strings.HasPrefix(got.problem.message, want) {
		t.Errorf("problem = %+v, want %s", got.problem, want)
	}
	seen.service.Spec.Runtime.PodTemplate = nil
	if got = chosen(seen, render.GatewaySettings{Image: "gateway:test", AllowedHosts: render.Hosts{"*.svc"}}); got.problem != nil {
		t.Errorf("problem = %+v, want none", got.problem)
	}
}

// A template is checked before anything is compiled, and the condition names the field.
func TestABadPodTemplateIsReported(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	seen.service.Spec.Runtime.PodTemplate = &v1alpha1.JSON{Raw: []byte(`{"spec":{"hostNetwork":true,"nodeselector":{}}}`)}
	got := chosen(seen, render.GatewaySettings{Image: "gateway:test"})
	want := `spec.runtime.podTemplate: unknown field "spec.nodeselector"; spec.runtime.podTemplate.spec.hostNetwork: must not be set: `
	if got.problem == nil || got.problem.reason != v1alpha1.ReasonInvalid || !strings.HasPrefix(got.problem.message, want) {
		t.Errorf("problem = %+v, want %s", got.problem, want)
	}
}

func TestManyErrorsAreSummedUp(t *testing.T) {
	errs := make(config.Errors, maxFieldErrors+3)
	for i := range errs {
		errs[i] = config.FieldError{Path: "models[0].name", Message: "is required"}
	}
	if got := describe(&config.Config{}, errs); !strings.HasSuffix(got, "; and 3 more") || strings.Count(got, "spec.models[0].name: is required") != maxFieldErrors {
		t.Errorf("describe() = %s", got)
	}
}

func TestNoChildrenWithoutAConfig(t *testing.T) {
	children, err := (&Reconciler{}).render(&view{service: serviceWith("ftp://a")}, documents{})
	if children != nil || err != nil {
		t.Errorf("render() = %v, %v; want nothing", children, err)
	}
}

func TestOldViewsAreNotActedUpon(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		latest func(*v1alpha1.LLMService, *corev1.ConfigMap)
		want   error
	}{
		"as it was seen":      {latest: func(*v1alpha1.LLMService, *corev1.ConfigMap) {}},
		"older than was seen": {latest: func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) { s.Generation = 1 }},
		"changed since":       {latest: func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) { s.Generation = 3 }, want: errOutdated},
		"created anew":        {latest: func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) { s.UID = "u2" }, want: errOutdated},
		"being deleted": {latest: func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) {
			s.DeletionTimestamp, s.Finalizers = new(metav1.NewTime(moment)), []string{"example.com/wait"}
		}, want: errOutdated},
		"another ConfigMap": {latest: func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) { c.ResourceVersion = "8" }, want: errOutdated},
		"deleted":           {latest: func(s *v1alpha1.LLMService, _ *corev1.ConfigMap) { s.Name = "other" }, want: errOutdated},
		"no ConfigMap":      {latest: func(_ *v1alpha1.LLMService, c *corev1.ConfigMap) { c.Name = "other" }, want: errOutdated},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &view{service: serviceWith("http://a.svc/v1")}
			seen.service.Generation = 2
			configMap := &corev1.ConfigMap{}
			configMap.Namespace, configMap.Name, configMap.ResourceVersion = "team-a", "assistant-config-v1", "7"
			seen.putConfigMap(configMap.DeepCopy())
			service := seen.service.DeepCopy()
			tt.latest(service, configMap)
			server := fake.NewClientBuilder().WithScheme(scheme).WithObjects(service, configMap).Build()
			if err := (&Reconciler{Uncached: server}).confirm(t.Context(), seen); !errors.Is(err, tt.want) {
				t.Errorf("confirm() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTemplateGeneration(t *testing.T) {
	deployment := func(uid types.UID, generation int64, image string) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.UID, d.Generation = uid, generation
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		return d
	}
	var m memory
	if got := m.templateGeneration(deployment("u1", 7, "a")); got != 7 {
		t.Errorf("of a Deployment that nothing is known of: %d, want its own, 7", got)
	}
	for _, step := range []struct {
		name          string
		before, after *appsv1.Deployment
		want          int64
	}{
		{"created", nil, deployment("u1", 1, "a"), 1},
		{"another number", deployment("u1", 1, "a"), deployment("u1", 2, "a"), 1},
		{"another template", deployment("u1", 2, "a"), deployment("u1", 3, "b"), 3},
		{"a number again", deployment("u1", 3, "b"), deployment("u1", 4, "b"), 3},
		{"created anew", nil, deployment("u2", 1, "b"), 1},
		{"of another operator, and a number", deployment("u3", 5, "b"), deployment("u3", 6, "b"), 5},
	} {
		m.wrote(step.before, step.after)
		if got := m.templateGeneration(step.after); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

// documentOf is the config of a service, and what is wrong with it.
func documentOf(service *v1alpha1.LLMService, gateway render.GatewaySettings) (render.Document, *problem) {
	translated, problem := translate(service, gateway)
	if problem == nil {
		problem = invalidSpec(translated.config, program.Validate(translated.config))
	}
	return translated.document, problem
}

// chosen are the documents for a service as it was seen.
func chosen(seen *view, gateway render.GatewaySettings) documents {
	current, problem := documentOf(seen.service, gateway)
	return chooseDocuments(seen, current, problem)
}
