package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

func named(name string, change ...func(*v1alpha1.LLMService)) *v1alpha1.LLMService {
	service := &v1alpha1.LLMService{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name}}
	service.Spec.Models = []v1alpha1.Model{{Name: name}}
	for _, c := range change {
		c(service)
	}
	return service
}

func raw(t *testing.T, object any) runtime.RawExtension {
	t.Helper()
	if object == (*v1alpha1.LLMService)(nil) {
		return runtime.RawExtension{}
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: encoded}
}

// review is what an API server sends.
func review(t *testing.T, uid types.UID, service, before *v1alpha1.LLMService) *admissionv1.AdmissionReview {
	t.Helper()
	return &admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: uid, Namespace: "team-a", Kind: metav1.GroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind)),
		Object: raw(t, service), OldObject: raw(t, before),
	}}
}

func encoded(t *testing.T, of any) string {
	t.Helper()
	text, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ask sends a body to a handler, and returns its answer; nil if it is an error of HTTP.
func ask(t *testing.T, h http.Handler, body io.Reader) *admissionv1.AdmissionResponse {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, Path+"?timeout=5s", body))
	if recorder.Code != http.StatusOK {
		return nil
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.APIVersion != "admission.k8s.io/v1" || answer.Kind != "AdmissionReview" {
		t.Errorf("the answer is %s %s", answer.APIVersion, answer.Kind)
	}
	return answer.Response
}

func TestAnswers(t *testing.T) {
	deleted := func(s *v1alpha1.LLMService) { s.DeletionTimestamp = new(metav1.Now()) }
	labelled := func(s *v1alpha1.LLMService) { s.Labels = map[string]string{"a": "b"} }
	refuse := Verdict{Refusal: "spec.models[0]: is wrong"}
	tests := []struct {
		name            string
		service, before *v1alpha1.LLMService
		change          func(*admissionv1.AdmissionRequest)
		verdict         Verdict
		err             error
		want            admissionv1.AdmissionResponse
		checked         bool
	}{
		{name: "a good one", service: named("a"), checked: true, want: admissionv1.AdmissionResponse{Allowed: true}},
		{
			name: "a bad one", service: named("a"), verdict: refuse, checked: true,
			want: admissionv1.AdmissionResponse{Result: &metav1.Status{Status: "Failure", Code: 422, Reason: "Invalid", Message: refuse.Refusal}},
		},
		{
			name: "a doubtful one", service: named("a"), verdict: Verdict{Warnings: []string{"spec: is odd"}}, checked: true,
			want: admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{"spec: is odd"}},
		},
		{
			name: "a change for the worse", service: named("a"), before: named("b"), verdict: refuse, checked: true,
			want: admissionv1.AdmissionResponse{Result: &metav1.Status{Status: "Failure", Code: 422, Reason: "Invalid", Message: refuse.Refusal}},
		},
		{
			name: "one that cannot be checked in time", service: named("a"), err: errors.New("it takes too long"), checked: true,
			want: admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{
				"the spec was not checked: it takes too long; its condition ConfigValid will report mistakes",
			}},
		},
		{name: "a change of metadata", service: named("a", labelled), before: named("a"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true}},
		{name: "one that is being deleted", service: named("a", deleted), before: named("b"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true}},
		{name: "a deletion", before: named("a"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true}},
		{
			name: "its status", service: named("a"), before: named("b"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true},
			change: func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" },
		},
		{
			name: "another kind", service: named("a"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true},
			change: func(r *admissionv1.AdmissionRequest) { r.Kind.Kind = "Pod" },
		},
		{
			name: "another group", service: named("a"), verdict: refuse, want: admissionv1.AdmissionResponse{Allowed: true},
			change: func(r *admissionv1.AdmissionRequest) { r.Kind.Group = "apps" },
		},
		{
			name: "one that is not an LLMService", service: named("a"), verdict: refuse,
			change: func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"spec":"a secret"}`) },
			want: admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{
				"the spec was not checked: it is not an LLMService that this operator can read; its condition ConfigValid will report mistakes",
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checked := false
			h := NewHandler(func(ctx context.Context, service, before *v1alpha1.LLMService) (Verdict, error) {
				checked = true
				if _, bounded := ctx.Deadline(); !bounded || service.Name != "a" || (before == nil) != (tt.before == nil) {
					t.Errorf("checks %v, before it %v; bounded: %t", service, before, bounded)
				}
				return tt.verdict, tt.err
			})
			request := review(t, "u1", tt.service, tt.before)
			if tt.change != nil {
				tt.change(request.Request)
			}
			got := ask(t, h, strings.NewReader(encoded(t, request)))
			tt.want.UID = "u1"
			if got == nil || encoded(t, got) != encoded(t, &tt.want) || checked != tt.checked {
				t.Errorf("checked: %t; got %s, want %s", checked, encoded(t, got), encoded(t, &tt.want))
			}
		})
	}
}

func TestNonsenseIsNotAnswered(t *testing.T) {
	h := NewHandler(func(context.Context, *v1alpha1.LLMService, *v1alpha1.LLMService) (Verdict, error) {
		t.Error("checked")
		return Verdict{}, nil
	})
	for _, body := range []string{"", "{", "null", "[]", `{"request":7}`, `{"response":{}}`} {
		if got := ask(t, h, strings.NewReader(body)); got != nil {
			t.Errorf("%q gets %v", body, got)
		}
	}
}

// endless is a body that goes on after its beginning, and counts what was read of it.
type endless struct {
	begin *strings.Reader
	read  atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	if n, err := e.begin.Read(p); err == nil {
		return n, nil
	}
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// A review that is too large is admitted by the UID at its beginning, and is read no further than the bound.
func TestALargeReviewIsAdmitted(t *testing.T) {
	h := NewHandler(func(context.Context, *v1alpha1.LLMService, *v1alpha1.LLMService) (Verdict, error) {
		t.Error("checked")
		return Verdict{}, nil
	})
	for begin, want := range map[string]types.UID{
		`{"kind":"AdmissionReview","request":{"uid":"u7","kind":{"group":"g"},"namespace":"n","object":`: "u7",
		`{"kind":"AdmissionReview","request":{"kind":{"group":"g"},"object":`:                            "",
		`{"kind":`: "",
		`[`:        "",
	} {
		body := &endless{begin: strings.NewReader(begin)}
		got := ask(t, h, body)
		if got == nil || !got.Allowed || got.UID != want || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "more than 4 MiB") {
			t.Errorf("%s…: %v", begin, got)
		}
		if read := body.read.Load(); read > maxBody+64<<10 {
			t.Errorf("%s…: read %d bytes", begin, read)
		}
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

// However many ask, few reviews are in memory, and a namespace has half of them. The others wait, and are admitted at their deadline.
func TestFewReviewsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checked atomic.Int64
		var running peak
		h := NewHandler(func(ctx context.Context, service, _ *v1alpha1.LLMService) (Verdict, error) {
			checked.Add(1)
			if service.Name == "quick" {
				return Verdict{Refusal: "spec: is wrong"}, nil
			}
			running.add(1)
			defer running.add(-1)
			<-ctx.Done()
			return Verdict{}, ctx.Err()
		})
		const asked = maxReviews/2 + maxWaiting/2 + 7
		answers := make(chan *admissionv1.AdmissionResponse, asked)
		for i := range asked {
			body := strings.NewReader(encoded(t, review(t, types.UID(fmt.Sprint("u", i)), named("slow"), nil)))
			go func() { answers <- ask(t, h, body) }()
		}
		synctest.Wait()
		if len(answers) != 7 {
			t.Errorf("%d were admitted at once, want those 7 for whom there is no room to wait", len(answers))
		}
		other := review(t, "other", named("quick"), nil)
		other.Request.Namespace = "team-b"
		if got := ask(t, h, strings.NewReader(encoded(t, other))); got == nil || got.Allowed {
			t.Errorf("another namespace gets %v while one is slow, want its refusal", got)
		}
		for range asked {
			if got := <-answers; got == nil || !got.Allowed || len(got.Warnings) != 1 || !strings.HasPrefix(string(got.UID), "u") {
				t.Errorf("got %v", got)
			}
		}
		if running.most != maxReviews/2 || checked.Load() > maxReviews/2+1 {
			t.Errorf("%d at once, %d in all", running.most, checked.Load())
		}
		if len(h.room.of) > 0 || h.room.all != (share{}) {
			t.Errorf("left behind: %v, %v", h.room.of, h.room.all)
		}
	})
}

// TestFewWait: no namespace may have more than half of those who wait, and all together no more than there is room for.
func TestFewWait(t *testing.T) {
	r := newRoom()
	for _, ask := range []struct {
		namespace string
		times     int
		admitted  int
	}{{"a", maxWaiting/2 + 1, maxWaiting / 2}, {"b", maxWaiting/2 - 1, maxWaiting/2 - 1}, {"c", 2, 1}} {
		admitted := 0
		for range ask.times {
			if r.wait(ask.namespace) {
				admitted++
			}
		}
		if admitted != ask.admitted {
			t.Errorf("%d of %s wait, want %d", admitted, ask.namespace, ask.admitted)
		}
	}
}

// An answer arrives before the API server stops waiting for it.
func TestAnswerWithin(t *testing.T) {
	for timeout, want := range map[string]string{
		"1s": "750ms", "5s": "4s", "30s": "29s", "10h": "29s", "": "9s", "soon": "9s", "-1s": "9s",
	} {
		if got := answerWithin(timeout).String(); got != want {
			t.Errorf("%q: %s, want %s", timeout, got, want)
		}
	}
}
