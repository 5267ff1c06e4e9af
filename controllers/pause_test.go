package controllers

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// A paused service is unready only if it does not serve its spec, and never settles, to kstatus, while something is left undone.
func TestConditionsOfAPausedService(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*facts)
		// want are Ready, ConfigApplied, Scaling and Reconciling as STATUS/REASON; the last one may be absent.
		ready, applied, scaling, reconciling string
		says                                 string
	}{
		"nothing waits": {
			func(f *facts) { f.pause = &pause{wanted: 2, kept: 2} },
			"True/Ready", "True/Acknowledged", "False/Manual", "", "nothing waits",
		},
		"an object waits": {
			func(f *facts) { f.pause = &pause{held: []string{"Service assistant"}, wanted: 2, kept: 2} },
			"False/Paused", "True/Acknowledged", "False/Manual", "True/Paused", "Service assistant",
		},
		"a config waits": {
			func(f *facts) {
				f.pause = &pause{held: []string{"ConfigMap assistant-config-v1"}, config: true, wanted: 2, kept: 2}
			},
			"False/Paused", "False/Paused", "False/Manual", "True/Paused", "ConfigMap assistant-config-v1",
		},
		"replicas wait": {
			func(f *facts) { f.pause = &pause{wanted: 5, kept: 2} },
			"True/Ready", "True/Acknowledged", "False/Manual", "True/Paused", "it keeps 2 replicas, and spec.replicas is 5",
		},
		"the first one waits": {
			func(f *facts) {
				f.pause, f.deployment = &pause{held: []string{"Deployment assistant"}, config: true, wanted: 2, kept: 2}, nil
				f.acknowledged = acknowledgement{}
			},
			"False/Paused", "False/Paused", "False/Manual", "True/Paused", "Deployment assistant",
		},
		"an autoscaler is not followed": {
			func(f *facts) { scaled(v1alpha1.MetricCPU)(f); f.pause = &pause{wanted: 2, kept: 2} },
			"True/Ready", "True/Acknowledged", "False/Paused", "", "changes nothing",
		},
		"the spec is wrong, too": {
			func(f *facts) {
				f.problem, f.pause = &problem{v1alpha1.ReasonInvalid, "spec.x: is wrong"}, &pause{wanted: 2, kept: 2}
			},
			"False/Invalid", "True/Acknowledged", "False/Manual", "", "nothing waits",
		},
		"a replica is gone, and comes back": {
			func(f *facts) { f.pause = &pause{wanted: 2, kept: 2}; f.deployment.Status.AvailableReplicas = 0 },
			"False/Unavailable", "True/Acknowledged", "False/Manual", "True/Progressing", "nothing waits",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := steady()
			tt.change(&f)
			conditions := conditionsOf(f)
			for kind, want := range map[string]string{
				v1alpha1.ConditionPaused: "True/Paused", v1alpha1.ConditionReady: tt.ready, v1alpha1.ConditionConfigApplied: tt.applied,
				v1alpha1.ConditionScaling: tt.scaling, v1alpha1.ConditionReconciling: tt.reconciling,
			} {
				got := ""
				if c := meta.FindStatusCondition(conditions, kind); c != nil {
					got = string(c.Status) + "/" + c.Reason
				}
				if got != want {
					t.Errorf("%s is %q, want %q", kind, got, want)
				}
			}
			if message := meta.FindStatusCondition(conditions, v1alpha1.ConditionPaused).Message; !strings.Contains(message, tt.says) {
				t.Errorf("Paused says %q, want %q", message, tt.says)
			}
		})
	}
	if c := meta.FindStatusCondition(conditionsOf(steady()), v1alpha1.ConditionPaused); c != nil {
		t.Errorf("a service that is not paused has %+v", c)
	}
}

// While a service is paused, the number of its replicas is the Deployment's, however often somebody writes another.
func TestAPausedServiceKeepsItsReplicas(t *testing.T) {
	service := serviceWith("http://a.svc/v1")
	service.UID, service.Spec.Replicas, service.Spec.Paused = "1", new(int32(5)), new(true)
	seen := &view{service: service, children: map[render.ChildKey]client.Object{}}
	if got := seen.wantedReplicas(); got != 5 {
		t.Errorf("without a Deployment, %d replicas are wanted, want 5", got)
	}
	deployment := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}}
	deployment.OwnerReferences = []metav1.OwnerReference{{UID: service.UID, Controller: new(true)}}
	seen.children[render.GatewaysKey(service.Name)] = deployment
	if got := seen.wantedReplicas(); got != 2 {
		t.Errorf("%d replicas are wanted, want the Deployment's 2", got)
	}
	service.Spec.Paused = new(false)
	if got := seen.wantedReplicas(); got != 5 {
		t.Errorf("%d replicas are wanted, want the spec's 5", got)
	}
}

// What admission changes is looked at again later, unless nothing may be written: that would be at once, again and again.
func TestAPausedServiceIsNotLookedAtForAdmission(t *testing.T) {
	service := serviceWith("http://a.svc/v1")
	r, seen := &Reconciler{}, &view{now: moment, service: service}
	r.memories.of(seen).rewritings[render.GatewaysKey(service.Name)] = rewriting{next: moment.Add(-overrideRecheck)}
	if r.recheck(seen) == 0 {
		t.Error("it is not looked at again, although it is not paused")
	}
	if service.Spec.Paused = new(true); r.recheck(seen) != 0 {
		t.Error("it is looked at again")
	}
}
