package controllers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/runtime/config"
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
	document, _, problem := configOf(serviceWith(url))
	if problem != nil {
		t.Fatal(problem.message)
	}
	return string(document)
}

func TestDocuments(t *testing.T) {
	a, b, c := encoded(t, "http://a.svc/v1"), encoded(t, "http://b.svc/v1"), encoded(t, "http://c.svc/v1")
	tests := []struct {
		name                     string
		spec                     string
		liveCurrent, liveLast    string
		reported, served         string
		foreign                  bool
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
			wantCurrent: b, wantLast: a, wantProblem: v1alpha1.ReasonInvalid, wantMessage: "spec.upstreams[0].endpoints[0].url: ",
		},
		{name: "broken from the first", spec: "ftp://a", wantProblem: v1alpha1.ReasonInvalid, wantMessage: "spec.upstreams[0].endpoints[0].url: "},
		{name: "somebody else's ConfigMap is not read", spec: "ftp://a", liveCurrent: b, foreign: true, wantProblem: v1alpha1.ReasonInvalid},
		{name: "what cannot be loaded is not carried on", spec: "ftp://a", liveCurrent: `{"version":"v0"}`, liveLast: a, wantCurrent: a, wantLast: a, wantProblem: v1alpha1.ReasonInvalid},
		{
			name: "too large", spec: "http://" + strings.Repeat("a", config.MaxBytes) + "/v1", liveCurrent: b, wantCurrent: b,
			wantProblem: v1alpha1.ReasonTooLarge, wantMessage: "spec: the config has ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := &view{service: serviceWith(tt.spec)}
			if tt.reported != "" {
				seen.service.Status.Config = &v1alpha1.ConfigStatus{Revision: config.Revision([]byte(tt.reported))}
			}
			seen.load.Pods = []load.Pod{
				{Status: config.Status{Revision: config.Revision([]byte(tt.served))}},
				{Terminating: true, Status: config.Status{Revision: config.Revision([]byte(tt.liveCurrent))}},
			}
			if tt.liveCurrent != "" {
				seen.configMap = &corev1.ConfigMap{Data: map[string]string{config.CurrentKey: tt.liveCurrent, config.LastGoodKey: tt.liveLast}}
				if !tt.foreign {
					seen.configMap.OwnerReferences = []metav1.OwnerReference{{UID: "u1", Controller: new(true)}}
				}
			}
			got := chooseDocuments(seen)
			if diff := cmp.Diff([]string{tt.wantCurrent, tt.wantLast}, []string{string(got.current.Encoded), string(got.lastGood.Encoded)}); diff != "" {
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

func TestManyErrorsAreSummedUp(t *testing.T) {
	errs := make(config.Errors, maxFieldErrors+3)
	for i := range errs {
		errs[i] = config.FieldError{Path: "models[0].name", Message: "is required"}
	}
	if got := describe(errs); !strings.HasSuffix(got, "; and 3 more") || strings.Count(got, "spec.models[0].name: is required") != maxFieldErrors {
		t.Errorf("describe() = %s", got)
	}
}

func TestNoChildrenWithoutAConfig(t *testing.T) {
	children, err := (&Reconciler{}).render(&view{service: serviceWith("ftp://a")}, documents{})
	if children != nil || err != nil {
		t.Errorf("render() = %v, %v; want nothing", children, err)
	}
}
