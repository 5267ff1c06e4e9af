package controllers

import (
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// TestPodsThatEndAreNotLive: a pod that terminates serves out its streams. It is not waited for, not reminded of a config, and
// not priced: its end is decided.
func TestPodsThatEndAreNotLive(t *testing.T) {
	document := render.Document{Encoded: []byte("{}")}
	ends := map[string]func(*corev1.Pod){
		"terminating": func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: moment} },
		"succeeded":   func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"failed":      func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
	}
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			seen := &view{now: moment, service: serviceWith("http://a.svc/v1"), load: load.ServiceLoad{Taken: moment}}
			for name, revision := range map[string]string{"a": document.Revision(), "ended": "old"} {
				seen.pods = append(seen.pods, pod(name))
				seen.load.Pods = append(seen.load.Pods, load.PodLoad{
					UID: pod(name).UID, Seen: moment, Terminating: name == "ended", Status: report.Status{Revision: revision},
				})
			}
			at := slices.IndexFunc(seen.pods, func(p corev1.Pod) bool { return p.Name == "ended" })
			end(&seen.pods[at])

			if a := acknowledge(seen, document); a.replicas != 1 || a.acknowledged != 1 || len(a.behind) > 0 {
				t.Errorf("%d of %d replicas serve it, %d are behind; want 1 of 1, and none", a.acknowledged, a.replicas, len(a.behind))
			}
			for pod := range deletionPrices(seen, 1) {
				if pod.Name == "ended" {
					t.Error("it is priced")
				}
			}
		})
	}
}

// A pod that the Deployment calls ready and that a lagging watch has not shown yet may serve anything.
func TestPodsThatNoWatchHasShown(t *testing.T) {
	document := render.Document{Encoded: []byte("{}")}
	read := load.PodLoad{UID: "a", Seen: moment, Status: report.Status{Revision: document.Revision()}}
	ago := func(d time.Duration) load.PodLoad { return load.PodLoad{UID: "b", ReadyUntil: moment.Add(-d)} }
	going := func(pod load.PodLoad) load.PodLoad {
		pod.Terminating = true
		return pod
	}
	tests := []struct {
		name          string
		ready, wanted int32
		// other is a second pod that watches have shown.
		other   *load.PodLoad
		foreign bool
		want    int32
		again   time.Duration
	}{
		{name: "none", ready: 1, wanted: 1, want: 1},
		{name: "one of two", ready: 2, wanted: 2, want: 2},
		{name: "one that starts", ready: 1, wanted: 2, want: 1},
		{name: "one is ready while another starts", ready: 2, wanted: 3, other: &load.PodLoad{UID: "b"}, want: 2},
		{name: "the Deployment's status follows a scale-down late", ready: 3, wanted: 1, want: 1},
		{name: "it follows a pod that goes late", ready: 2, wanted: 2, other: new(going(load.PodLoad{ReadySince: moment})), want: 1},
		{name: "it follows one that drains late", ready: 2, wanted: 2, other: new(going(ago(time.Second))), want: 1, again: statusDelay - time.Second},
		{name: "it follows one that has restarted late", ready: 2, wanted: 2, other: new(ago(time.Second)), want: 1, again: statusDelay - time.Second},
		{name: "one that drains for long hides none", ready: 2, wanted: 2, other: new(going(ago(statusDelay))), want: 2},
		{name: "nor does one that was read before it drained", ready: 2, wanted: 2, other: new(going(load.PodLoad{Seen: moment})), want: 2},
		{name: "a Deployment of somebody else's", ready: 2, wanted: 2, foreign: true, want: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := &view{now: moment, service: serviceWith("http://a.svc/v1"), pods: []corev1.Pod{pod("a")}}
			seen.service.Spec.Replicas = &tt.wanted
			seen.load.Pods = []load.PodLoad{read}
			if tt.other != nil {
				other := pod("b")
				if tt.other.Terminating {
					other.DeletionTimestamp = &metav1.Time{Time: moment}
				}
				seen.pods, seen.load.Pods = append(seen.pods, other), append(seen.load.Pods, *tt.other)
			}
			deployment := &appsv1.Deployment{Status: appsv1.DeploymentStatus{ReadyReplicas: tt.ready}}
			if !tt.foreign {
				deployment.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(seen.service, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))}
			}
			seen.put(render.GatewaysKey(seen.service.Name), deployment)
			if a := acknowledge(seen, document); a.replicas != tt.want || a.acknowledged != 1 || a.again != tt.again {
				t.Errorf("%d of %d replicas serve it, to be looked at again in %v; want 1 of %d, in %v", a.acknowledged, a.replicas, a.again, tt.want, tt.again)
			}
		})
	}
}
