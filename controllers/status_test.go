package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

func TestLastCut(t *testing.T) {
	reported := func(at time.Time) *v1alpha1.StreamCut {
		return &v1alpha1.StreamCut{Time: metav1.NewTime(at), Pod: "old", Count: 1, Reason: "Killed"}
	}
	cut := func(at time.Time) *load.Cut { return &load.Cut{Time: at, Pod: "new", Count: 2, Reason: "Lost"} }
	tests := []struct {
		name     string
		reported *v1alpha1.StreamCut
		cut      *load.Cut
		want     string
		wantWait time.Duration
	}{
		{name: "none"},
		{name: "the first", cut: cut(moment.Add(-time.Second)), want: "new"},
		{name: "nothing new", reported: reported(moment), want: "old"},
		{name: "told already, to the second", reported: reported(moment), cut: cut(moment.Add(900 * time.Millisecond)), want: "old"},
		{name: "one more within a minute has to wait", reported: reported(moment.Add(-20 * time.Second)), cut: cut(moment), want: "old", wantWait: 40 * time.Second},
		{name: "one more after a report by a clock that was ahead", reported: reported(moment.Add(time.Hour)), cut: cut(moment), want: "new"},
		{
			name: "told already by a clock that was ahead", want: "new",
			reported: &v1alpha1.StreamCut{Time: metav1.NewTime(moment.Add(time.Hour)), Pod: "new", Count: 2, Reason: "Lost"}, cut: cut(moment),
		},
		{name: "one more after a minute", reported: reported(moment.Add(-time.Minute)), cut: cut(moment), want: "new"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := &v1alpha1.LLMServiceStatus{}
			if tt.reported != nil {
				status.Streams = &v1alpha1.StreamsStatus{LastCut: tt.reported}
			}
			wait := setLastCut(status, tt.cut, moment)
			got := ""
			if tt.reported != nil && tt.want == tt.reported.Pod && !status.Streams.LastCut.Time.Equal(&tt.reported.Time) {
				t.Error("what was told is told again")
			}
			if last := reportedCut(status); last != nil {
				got = last.Pod
			}
			if diff := cmp.Diff([]any{tt.want, tt.wantWait}, []any{got, wait}); diff != "" {
				t.Errorf("last cut and wait (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCutOfADeletedServiceIsNotToldOfANewOne(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	seen.service.CreationTimestamp = metav1.NewTime(moment)
	for podCreated, want := range map[time.Time]bool{moment.Add(-time.Second): false, moment: true, moment.Add(time.Hour): true} {
		seen.load.LastCut = &load.Cut{Time: moment.Add(2 * time.Hour), PodCreated: podCreated}
		if got := seen.lastCut() != nil; got != want {
			t.Errorf("a cut of a pod created %v after the service: told = %v, want %v", podCreated.Sub(moment), got, want)
		}
	}
}

// What a status says, it says of the generation that it was derived from.
func TestAStatusIsOfTheGenerationThatWasSeen(t *testing.T) {
	seen := &view{now: moment, service: serviceWith("http://a.svc/v1")}
	seen.service.Generation, seen.service.Status.ObservedGeneration = 7, 6
	status, _ := statusOf(seen, documents{}, (&Reconciler{}).factsOf(seen, documents{}, outcome{}, acknowledgement{}))
	if status.ObservedGeneration != 7 || len(status.Conditions) == 0 {
		t.Errorf("generation %d is observed, with %d conditions; want 7, with some", status.ObservedGeneration, len(status.Conditions))
	}
	for _, c := range status.Conditions {
		if c.ObservedGeneration != 7 {
			t.Errorf("%s is of generation %d, want 7", c.Type, c.ObservedGeneration)
		}
	}
}

// What `Scaling` repeats is of this very service's autoscaler, and of no other of its name.
func TestScalingIsOfTheServicesOwnAutoscaler(t *testing.T) {
	for _, own := range []bool{true, false} {
		seen := &view{now: moment, service: serviceWith("http://a.svc/v1")}
		autoscaler := &autoscalingv2.HorizontalPodAutoscaler{}
		if own {
			autoscaler.OwnerReferences = []metav1.OwnerReference{
				*metav1.NewControllerRef(seen.service, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind)),
			}
		}
		seen.put(render.AutoscalerKey(seen.service.Name), autoscaler)
		got := (&Reconciler{}).factsOf(seen, documents{}, outcome{}, acknowledgement{})
		if (got.autoscaler != nil) != own {
			t.Errorf("own %t: its status is repeated: %t", own, got.autoscaler != nil)
		}
	}
}
