package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// podWith is a pod of this status, and of this name for each view: views list pods by name.
func podWith(status corev1.PodStatus) corev1.Pod {
	pod := corev1.Pod{Status: status}
	pod.Name = "assistant-a"
	return pod
}

func container(state, last corev1.ContainerState) corev1.PodStatus {
	return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "gateway", State: state, LastTerminationState: last}}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func terminated(reason string, code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, Message: "last words"}}
}

var running = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}

// TestWhatKeepsAPodFromRunning: only the pod itself says it.
func TestWhatKeepsAPodFromRunning(t *testing.T) {
	none, notFound := corev1.ContainerState{}, `failed to pull "m/gateway:v9": not found`
	unscheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}
	ready := corev1.ContainerStatus{Name: "gateway", Ready: true, State: running, LastTerminationState: terminated("OOMKilled", 137)}
	const image = "pod assistant-a: container gateway: ImagePullBackOff: failed to pull \"m/gateway:v9\": not found"
	for name, tt := range map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"starts":                  {container(waiting("ContainerCreating", ""), none), ""},
		"waits for its init":      {container(waiting("PodInitializing", ""), none), ""},
		"runs, not ready yet":     {container(running, none), ""},
		"is ready after a crash":  {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{ready}}, ""},
		"init has done its work":  {corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: terminated("Completed", 0)}}}, ""},
		"no node":                 {corev1.PodStatus{Conditions: []corev1.PodCondition{unscheduled}}, "pod assistant-a: Unschedulable: 0/3 nodes are available"},
		"the image":               {container(waiting("ErrImagePull", notFound), none), image},
		"the image, a bit later":  {container(waiting("ImagePullBackOff", "Back-off pulling image \"m/gateway:v9\": ErrImagePull: "+notFound), none), image},
		"no config":               {container(waiting("CreateContainerConfigError", "no such key"), none), "pod assistant-a: container gateway: CreateContainerConfigError: no such key"},
		"ended":                   {container(terminated("OOMKilled", 137), none), "pod assistant-a: container gateway: it ended with OOMKilled, exit code 137"},
		"waits after it ended":    {container(waiting("CrashLoopBackOff", "back-off 40s"), terminated("OOMKilled", 137)), "pod assistant-a: container gateway: it ended with OOMKilled, exit code 137"},
		"runs again, not ready":   {container(running, terminated("OOMKilled", 137)), "pod assistant-a: container gateway: it ended with OOMKilled, exit code 137"},
		"a sidecar that must end": {corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: terminated("", 2)}}}, "pod assistant-a: container init: it ended with Error, exit code 2"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &view{pods: []corev1.Pod{podWith(tt.status)}}
			if got := seen.unstarted(); got.message != tt.want {
				t.Errorf("unstarted() = %q, want %q", got.message, tt.want)
			}
		})
	}
	long := &view{pods: []corev1.Pod{podWith(container(waiting("ErrImagePull", strings.Repeat("x", 1<<16)), none))}}
	if got := long.unstarted(); len(got.message) > 2*maxHindrance {
		t.Errorf("%d bytes are repeated", len(got.message))
	}
}

// TestWhatKeepsReplicasAwayIsAReason: programs read reasons, people the words.
func TestWhatKeepsReplicasAwayIsAReason(t *testing.T) {
	none := corev1.ContainerState{}
	pod := func(status corev1.PodStatus) func(*facts) {
		return func(f *facts) { f.unstarted = (&view{pods: []corev1.Pod{podWith(status)}}).unstarted() }
	}
	uncreated := func(message string) func(*facts) {
		return func(f *facts) {
			f.deployment.Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: message,
			}}
		}
	}
	gated := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "SchedulingGated"}
	for name, tt := range map[string]struct {
		change func(*facts)
		want   string
	}{
		"a quota":         {uncreated(`pods "assistant-7-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1`), "Available=False/QuotaExceeded"},
		"a policy":        {uncreated(`pods "assistant-7-x" is forbidden: violates PodSecurity "restricted:latest"`), "Available=False/CreationRefused"},
		"no node":         {pod(corev1.PodStatus{Conditions: []corev1.PodCondition{gated}}), "Available=False/Unschedulable"},
		"no image":        {pod(container(waiting("ErrImageNeverPull", "not present"), none)), "Available=False/ImagePullFailed"},
		"an image's name": {pod(container(waiting("InvalidImageName", "A:b"), none)), "Available=False/ImagePullFailed"},
		"a crash":         {pod(container(waiting("CrashLoopBackOff", ""), terminated("Error", 1))), "Available=False/ContainerFailed"},
		"an image that went after a crash": {
			pod(container(waiting("ImagePullBackOff", ""), terminated("Error", 1))), "Available=False/ContainerFailed",
		},
		"no file": {pod(container(waiting("CreateContainerConfigError", "no such key"), none)), "Available=False/ContainerFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := steady()
			tt.change(&f)
			f.deployment.Status.AvailableReplicas = 0
			for _, stuck := range []bool{false, true} {
				if stuck {
					f.deployment.Status.Conditions = slices.Concat(f.deployment.Status.Conditions, noProgress)
				}
				c := meta.FindStatusCondition(conditionsOf(f), v1alpha1.ConditionAvailable)
				if got := fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason); got != tt.want {
					t.Errorf("stuck = %v: %s, want %s", stuck, got, tt.want)
				}
			}
			f = steady()
			tt.change(&f)
			f.deployment.Status.UpdatedReplicas = 1
			if ready := meta.FindStatusCondition(conditionsOf(f), v1alpha1.ConditionReady); !strings.HasSuffix(tt.want, "/"+ready.Reason) {
				t.Errorf("a roll-out: Ready has the reason %s, want that of %s", ready.Reason, tt.want)
			}
		})
	}
}

// TestConditionsRepeatWhatReplicasLack: as with a quota on pods, with a quota on ReplicaSets, and with what pods say themselves.
func TestConditionsRepeatWhatReplicasLack(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*facts)
		want   string
	}{
		"a ReplicaSet that cannot be created": {func(f *facts) {
			f.deployment.Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ReplicaSetCreateError",
				Message: `Failed to create new replica set "assistant-7": exceeded quota: count/replicasets.apps`,
			}}
		}, cannotCreate + `Failed to create new replica set "assistant-7": exceeded quota`},
		"a pod that cannot start": {func(f *facts) {
			f.unstarted = problem{v1alpha1.ReasonUnschedulable, "pod a: Unschedulable: no room"}
		}, cannotStart + "pod a: Unschedulable: no room"},
	} {
		for state, kinds := range map[string][]string{"too few": {"Available", "Ready", "Reconciling"}, "rolling": {"Ready", "Reconciling"}} {
			f := steady()
			if tt.change(&f); state == "rolling" {
				f.deployment.Status.UpdatedReplicas = 1
			} else {
				f.deployment.Status.AvailableReplicas = 0
			}
			conditions := conditionsOf(f)
			for _, kind := range kinds {
				if c := meta.FindStatusCondition(conditions, kind); c == nil || !strings.Contains(c.Message, tt.want) {
					t.Errorf("%s, %s: %s = %+v, want it to say %q", name, state, kind, c, tt.want)
				}
			}
			if meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled) != nil {
				t.Errorf("%s, %s: it stalls", name, state)
			}
		}
	}
}

// TestAnAPIServerThatStartsRefusesNothing: its admission forbids every write until it has read the namespaces, policies and
// webhooks. That passes, and a service whose first config was not delivered then has nothing to fall back on.
func TestAnAPIServerThatStartsRefusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plugin, err := lifecycle.NewLifecycle(nil)
		if err != nil {
			t.Fatal(err)
		}
		plugin.SetReadyFunc(func() bool { return false })
		account := &corev1.ServiceAccount{}
		attributes := admission.NewAttributesRecord(account, nil, corev1.SchemeGroupVersion.WithKind("ServiceAccount"), "team-a", "assistant",
			schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, "", admission.Create, nil, false, nil)
		starting := plugin.Admit(context.Background(), attributes, nil)
		if !apierrors.IsForbidden(starting) {
			t.Fatalf("a server that starts answers %v", starting)
		}
		for _, tt := range []struct {
			err  error
			want bool
		}{
			{starting, false},
			{apierrors.NewForbidden(schema.GroupResource{Resource: "serviceaccounts"}, "assistant", errors.New("exceeded quota")), true},
		} {
			f := steady()
			f.applyErr = tt.err
			stalled := meta.IsStatusConditionTrue(conditionsOf(f), v1alpha1.ConditionStalled)
			if stalled != tt.want || meta.IsStatusConditionTrue(conditionsOf(f), v1alpha1.ConditionReady) {
				t.Errorf("%v: stalled = %v, want %v and not ready", tt.err, stalled, tt.want)
			}
		}
	})
}
