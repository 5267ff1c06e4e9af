package controllers

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
			seen := &view{now: moment, service: serviceWith("http://a.svc/v1"), load: load.Snapshot{Taken: moment}}
			for name, revision := range map[string]string{"a": document.Revision(), "ended": "old"} {
				seen.pods = append(seen.pods, pod(name))
				seen.load.Pods = append(seen.load.Pods, load.Pod{
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
