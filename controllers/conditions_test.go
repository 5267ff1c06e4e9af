package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// steady is a service whose two replicas serve its spec, scaled by hand.
func steady() facts {
	deployment := &appsv1.Deployment{}
	deployment.Generation = 4
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: 4, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
	return facts{
		wanted: 2, deployment: deployment, template: 4,
		acknowledged: acknowledgement{revision: "r1", replicas: 2, acknowledged: 2},
	}
}

// noProgress is what the Deployment controller says of a roll-out that is stuck.
var noProgress = []appsv1.DeploymentCondition{{
	Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "has timed out progressing",
}}

func scaled(metric v1alpha1.MetricType, conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) func(*facts) {
	return func(f *facts) {
		f.scaling = &v1alpha1.Scaling{MinReplicas: 2, MaxReplicas: 5, Metrics: []v1alpha1.Metric{{Type: metric}}}
		f.autoscaler = &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{Conditions: conditions}}
	}
}

func hpa(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason string) autoscalingv2.HorizontalPodAutoscalerCondition {
	return autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind, Status: status, Reason: reason, Message: "says the autoscaler"}
}

func TestConditions(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts)
		// want lists the conditions as TYPE=STATUS/REASON.
		want string
	}{
		{
			name: "steady", change: func(*facts) {},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual",
		},
		{
			name:   "just created",
			change: func(f *facts) { f.deployment, f.acknowledged = nil, acknowledgement{revision: "r1"} },
			want:   "Ready=False/Unavailable ConfigValid=True/Valid ConfigApplied=False/Pending Available=False/Unavailable Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "invalid from the first",
			change: func(f *facts) {
				f.problem, f.deployment, f.acknowledged = &problem{"Invalid", "spec.x: is wrong"}, nil, acknowledgement{}
			},
			want: "Ready=False/Invalid ConfigValid=False/Invalid ConfigApplied=False/NoConfig Available=False/Unavailable Scaling=False/Manual Stalled=True/Invalid",
		},
		{
			name:   "invalid later: the last good config is served on",
			change: func(f *facts) { f.problem = &problem{"TooLarge", "spec: too large"} },
			want:   "Ready=False/TooLarge ConfigValid=False/TooLarge ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/TooLarge",
		},
		{
			name:   "one replica behind",
			change: func(f *facts) { f.acknowledged.acknowledged = 1 },
			want:   "Ready=False/Pending ConfigValid=True/Valid ConfigApplied=False/Pending Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "rejected",
			change: func(f *facts) {
				f.acknowledged.acknowledged, f.acknowledged.rejected = 1, []string{"pod a: no"}
			},
			want: "Ready=False/Rejected ConfigValid=True/Valid ConfigApplied=False/Rejected Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "a secret is missing",
			change: func(f *facts) { f.acknowledged.missing = []string{"pod a: key k of Secret s"} },
			want:   "Ready=False/SecretMissing ConfigValid=True/Valid ConfigApplied=False/SecretMissing Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "a key is refused",
			change: func(f *facts) { f.acknowledged.refused = []string{`upstream "fast" refuses key "k" of Secret "s"`} },
			want:   "Ready=False/KeyRefused ConfigValid=True/Valid ConfigApplied=False/KeyRefused Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "scaling up is no roll-out",
			change: func(f *facts) {
				f.wanted, f.deployment.Generation, f.deployment.Status.AvailableReplicas = 4, 5, 1
			},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "fewer were asked for than have to be, and are still counted",
			change: func(f *facts) {
				f.scaling = &v1alpha1.Scaling{MinReplicas: 2, MaxReplicas: 5}
				f.deployment.Generation, f.deployment.Spec.Replicas, f.wanted = 5, new(int32(1)), 1
			},
			want: "Ready=False/Unavailable ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=False/Unavailable Scaling=Unknown/Progressing Reconciling=True/Progressing",
		},
		{
			name:   "a new template that nobody has seen",
			change: func(f *facts) { f.deployment.Generation, f.template = 5, 5 },
			want:   "Ready=False/Progressing ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "a new template and another number at once, which nobody has seen",
			change: func(f *facts) { f.deployment.Generation, f.template, f.wanted = 5, 5, 3 },
			want:   "Ready=False/Progressing ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "another number that nobody has seen",
			change: func(f *facts) { f.deployment.Generation, f.wanted = 5, 3 },
			want:   "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "rolling",
			change: func(f *facts) { f.deployment.Status.Replicas, f.deployment.Status.UpdatedReplicas = 3, 1 },
			want:   "Ready=False/Progressing ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "scaled to zero",
			change: func(f *facts) {
				f.wanted, f.acknowledged = 0, acknowledgement{revision: "r1"}
				f.deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: 4}
			},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/ScaledToZero Scaling=False/Manual",
		},
		{
			name: "no progress",
			change: func(f *facts) {
				f.deployment.Status.AvailableReplicas = 0
				f.deployment.Status.Conditions = noProgress
			},
			want: "Ready=False/DeadlineExceeded ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=False/DeadlineExceeded Scaling=False/Manual Stalled=True/DeadlineExceeded",
		},
		{
			name: "no progress while the old replicas serve",
			change: func(f *facts) {
				f.deployment.Status.Replicas, f.deployment.Status.UpdatedReplicas = 3, 1
				f.deployment.Status.Conditions = noProgress
			},
			want: "Ready=False/DeadlineExceeded ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/DeadlineExceeded",
		},
		{
			name: "no progress of the generation before",
			change: func(f *facts) {
				f.deployment.Generation, f.template = 5, 5
				f.deployment.Status.Conditions = noProgress
			},
			want: "Ready=False/Progressing ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "a name is taken",
			change: func(f *facts) { f.applyErr = fmt.Errorf("apply: %w", &conflictError{"Service", "assistant"}) },
			want:   "Ready=False/ChildConflict ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/ChildConflict",
		},
		{
			name: "a child is refused",
			change: func(f *facts) {
				f.applyErr = apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "assistant", nil)
			},
			want: "Ready=False/ApplyFailed ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/ApplyFailed",
		},
		{
			name:   "admission has the last word",
			change: func(f *facts) { f.overridden = []string{"Deployment assistant: spec.replicas is 1, wanted 2"} },
			want:   "Ready=False/Overridden ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/Overridden",
		},
		{
			name:   "the API server is away: no reason to stall",
			change: func(f *facts) { f.applyErr = errors.New("connection refused") },
			want:   "Ready=False/ApplyFailed ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name:   "pods could not be priced",
			change: func(f *facts) { f.unpriced = errors.New("annotate pod a: refused") },
			want:   "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Reconciling=True/Progressing",
		},
		{
			name: "the autoscaler scales",
			change: scaled(v1alpha1.MetricInFlight, hpa(autoscalingv2.AbleToScale, "True", "ReadyForNewScale"),
				hpa(autoscalingv2.ScalingActive, "True", "ValidMetricFound"), hpa(autoscalingv2.ScalingLimited, "False", "DesiredWithinRange")),
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=True/Active",
		},
		{
			name:   "the autoscaler is new",
			change: scaled(v1alpha1.MetricInFlight),
			want:   "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=Unknown/Progressing",
		},
		{
			name:   "the autoscaler lacks its metric",
			change: scaled(v1alpha1.MetricCPU, hpa(autoscalingv2.ScalingActive, "False", "FailedGetContainerResourceMetric")),
			want:   "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/FailedGetContainerResourceMetric",
		},
		{
			name: "the metrics API is another adapter's",
			change: func(f *facts) {
				scaled(v1alpha1.MetricInFlight, hpa(autoscalingv2.ScalingActive, "False", "FailedGetObjectMetric"))(f)
				f.metricsAPI = "belongs to another"
			},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/MetricsAPIUnavailable",
		},
		{
			name: "CPU needs no metrics API of ours",
			change: func(f *facts) {
				scaled(v1alpha1.MetricCPU, hpa(autoscalingv2.ScalingActive, "True", "ValidMetricFound"))(f)
				f.metricsAPI = "belongs to another"
			},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=True/Active",
		},
		{
			name: "the autoscaler has not asked for its minimum yet",
			change: func(f *facts) {
				scaled(v1alpha1.MetricCPU)(f)
				f.wanted, f.acknowledged.replicas, f.acknowledged.acknowledged = 1, 1, 1
				f.deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: 4, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
			},
			want: "Ready=False/Unavailable ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=False/Unavailable Scaling=Unknown/Progressing Reconciling=True/Progressing",
		},
		{
			name:   "takes too long to compile",
			change: func(f *facts) { f.problem = &problem{"TooSlow", "spec: too slow"} },
			want:   "Ready=False/TooSlow ConfigValid=False/TooSlow ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/TooSlow",
		},
		{
			name:   "the operator ended while it compiled it",
			change: func(f *facts) { f.problem = &problem{"CompileDied", "spec: not tried again"} },
			want:   "Ready=False/CompileDied ConfigValid=False/CompileDied ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/Manual Stalled=True/CompileDied",
		},
		{
			name: "one of two metrics is unread",
			change: func(f *facts) {
				scaled(v1alpha1.MetricCPU, hpa(autoscalingv2.AbleToScale, "True", "ReadyForNewScale"), hpa(autoscalingv2.ScalingActive, "True", "ValidMetricFound"))(f)
				cpu := autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: "cpu"}}
				f.autoscaler.Spec.Metrics = []autoscalingv2.MetricSpec{cpu, cpu}
				f.autoscaler.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Type: cpu.Type}, {}}
			},
			want: "Ready=True/Ready ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=True/Available Scaling=False/MetricUnreadable",
		},
		{
			name: "less than the autoscaler's minimum",
			change: func(f *facts) {
				scaled(v1alpha1.MetricCPU, hpa(autoscalingv2.ScalingActive, "True", "ValidMetricFound"))(f)
				f.deployment.Status.AvailableReplicas = 1
			},
			want: "Ready=False/Unavailable ConfigValid=True/Valid ConfigApplied=True/Acknowledged Available=False/Unavailable Scaling=True/Active Reconciling=True/Progressing",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := steady()
			tt.change(&f)
			var got []string
			for _, c := range conditionsOf(f) {
				got = append(got, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
				if c.Message == "" {
					t.Errorf("%s has no message", c.Type)
				}
			}
			if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

// What keeps pods from being created is known to nobody else: each condition that waits for them repeats it.
func TestConditionsSayWhatIsInTheWay(t *testing.T) {
	quota := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods"}
	for name, tt := range map[string]struct {
		change func(*facts)
		kinds  []string
		want   string
	}{
		"too few": {func(f *facts) { f.deployment.Status.AvailableReplicas = 0 }, []string{"Available", "Ready", "Reconciling"}, quota.Message},
		"rolling": {func(f *facts) { f.deployment.Status.UpdatedReplicas = 1 }, []string{"Ready", "Reconciling"}, quota.Message},
		"growing": {func(f *facts) { f.wanted = 4 }, []string{"Reconciling"}, quota.Message},
		"stuck": {func(f *facts) {
			f.deployment.Status.Conditions = slices.Concat(noProgress, []appsv1.DeploymentCondition{quota})
		}, []string{"Stalled", "Ready"}, quota.Message},
		"a write that fails": {func(f *facts) { f.applyErr = errors.New("connection refused") }, []string{"Ready", "Reconciling"}, "connection refused"},
		"a pod that cannot be priced": {
			func(f *facts) { f.unpriced = errors.New("annotate pod a: refused") }, []string{"Reconciling"}, "annotate pod a: refused",
		},
		"a pod that cannot be reminded": {
			func(f *facts) {
				f.acknowledged.acknowledged, f.acknowledged.unreminded = 1, errors.New("nudge pod a: refused")
			},
			[]string{"ConfigApplied", "Ready"},
			"nudge pod a: refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := steady()
			f.deployment.Status.Conditions = []appsv1.DeploymentCondition{quota}
			tt.change(&f)
			conditions := conditionsOf(f)
			for _, kind := range tt.kinds {
				c := meta.FindStatusCondition(conditions, kind)
				if c == nil || !strings.Contains(c.Message, tt.want) {
					t.Errorf("%s = %+v, want it to say %q", kind, c, tt.want)
				}
			}
		})
	}
}

// TestStalledSaysAll: what is wrong with the spec hides nothing else that is in the way, and neither is cut off by the other.
func TestStalledSaysAll(t *testing.T) {
	f := steady()
	quota := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods"}
	f.problem = &problem{v1alpha1.ReasonInvalid, "spec.x: is wrong" + strings.Repeat(", very", maxMessage)}
	f.applyErr = errors.Join(&conflictError{"Service", "assistant"}, errors.New("connection refused"))
	f.deployment.Status.Conditions = slices.Concat(noProgress, []appsv1.DeploymentCondition{quota})
	f.overridden = []string{"HorizontalPodAutoscaler assistant: spec.maxReplicas is 5, wanted 20"}
	f.unpriced = errors.New("annotate pod a: refused")
	conditions := conditionsOf(f)
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(conditions, kind)
		if c.Reason != v1alpha1.ReasonInvalid {
			t.Errorf("%s has the reason %s", kind, c.Reason)
		}
		for _, part := range []string{
			"spec.x: is wrong", "Service assistant exists", "connection refused", "has timed out", cannotCreate + "exceeded quota", "maxReplicas is 5", "annotate pod a",
		} {
			if !strings.Contains(c.Message, part) {
				t.Errorf("%s does not say %q: %s", kind, part, c.Message)
			}
		}
	}
	f = steady()
	f.unpriced, f.applyErr = errors.New("annotate pod a: refused"), errors.New("connection refused")
	if c := meta.FindStatusCondition(conditionsOf(f), v1alpha1.ConditionStalled); c != nil {
		t.Errorf("it stalls for what passes: %s", c.Message)
	}
}

// While replicas cannot be created, their number in the message may change: one event tells of it.
func TestReplicaFailureIsOneEvent(t *testing.T) {
	status := func(message string) *v1alpha1.LLMServiceStatus {
		return &v1alpha1.LLMServiceStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReconciling, Message: message}}}
	}
	well, first, later := status("0 of 2"), status("0 of 2"+cannotCreate+"quota"), status("1 of 2"+cannotStart+"no node")
	for _, tt := range []struct {
		before, after *v1alpha1.LLMServiceStatus
		want          bool
	}{{well, well, false}, {well, first, true}, {well, later, true}, {first, later, false}, {later, well, false}} {
		if _, got := newlyHindered(tt.before, tt.after); got != tt.want {
			t.Errorf("%q then %q: told = %v, want %v", tt.before.Conditions[0].Message, tt.after.Conditions[0].Message, got, tt.want)
		}
	}
}

func TestSecretsAreToldOfOnce(t *testing.T) {
	status := func(reason, message string) *v1alpha1.LLMServiceStatus {
		return &v1alpha1.LLMServiceStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionConfigApplied, Reason: reason, Message: message}}}
	}
	well, one := status("Acknowledged", ""), status("KeyRefused", "one")
	for _, tt := range []struct {
		before, after *v1alpha1.LLMServiceStatus
		want          bool
	}{{well, well, false}, {well, one, true}, {one, status("KeyRefused", "two"), false}, {one, well, false}, {&v1alpha1.LLMServiceStatus{}, one, true}} {
		if _, got := newly(tt.before, tt.after, v1alpha1.ConditionConfigApplied, v1alpha1.ReasonKeyRefused); got != tt.want {
			t.Errorf("%+v then %+v: told = %v, want %v", tt.before.Conditions, tt.after.Conditions, got, tt.want)
		}
	}
}

// What is wrong with the spec keeps back no event of what is wrong with a child, and each is told of once.
func TestObstaclesAreToldOfOnce(t *testing.T) {
	conflict := problem{v1alpha1.ReasonChildConflict, "Service assistant exists and is not controlled by this LLMService"}
	another := problem{v1alpha1.ReasonChildConflict, "HorizontalPodAutoscaler assistant exists and is not controlled by this LLMService"}
	changed := problem{v1alpha1.ReasonOverridden, admissionChanged + "Service assistant: spec.ports[http].port is 81"}
	differently := problem{v1alpha1.ReasonOverridden, admissionChanged + "Service assistant: spec.ports[http].port is 82"}
	invalid := problem{v1alpha1.ReasonInvalid, "spec.x: is wrong"}
	for name, tt := range map[string]struct {
		before, after []problem
		want          []string
	}{
		"nothing":                       {},
		"a conflict":                    {after: []problem{conflict}, want: []string{EventChildConflict}},
		"one beside an invalid spec":    {before: []problem{invalid}, after: []problem{invalid, conflict}, want: []string{EventChildConflict}},
		"the same":                      {before: []problem{conflict}, after: []problem{invalid, conflict}},
		"another":                       {before: []problem{invalid, conflict}, after: []problem{invalid, another}, want: []string{EventChildConflict}},
		"one that went":                 {before: []problem{conflict}},
		"admission beside another one":  {before: []problem{conflict}, after: []problem{conflict, changed}, want: []string{EventOverridden}},
		"admission that changes again":  {before: []problem{changed}, after: []problem{conflict, differently}, want: []string{EventChildConflict}},
		"a write that fails has no own": {after: []problem{{v1alpha1.ReasonApplyFailed, "refused"}, {message: "later"}}},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.LLMServiceStatus{}
			if before, stalled := stalledFor(tt.before); stalled {
				status.Conditions = []metav1.Condition{before}
			}
			recorder := &notes{}
			(&Reconciler{Events: recorder}).tell(&view{service: serviceWith("http://a.svc/v1")}, status, &v1alpha1.LLMServiceStatus{}, tt.after)
			if diff := cmp.Diff(tt.want, recorder.reasons); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// notes keeps the reasons of events.
type notes struct{ reasons []string }

func (n *notes) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	n.reasons = append(n.reasons, reason)
}

func TestOtherMetricsAloneNeverScaleDown(t *testing.T) {
	f := steady()
	scaled(v1alpha1.MetricInFlight)(&f)
	f.metricsAPI = "belongs to another"
	if got := f.scalable().Message; got != "belongs to another" {
		t.Errorf("of one metric: %q", got)
	}
	f.scaling.Metrics = append(f.scaling.Metrics, v1alpha1.Metric{Type: v1alpha1.MetricCPU})
	if got := f.scalable().Message; !strings.Contains(got, "never down") {
		t.Errorf("of two metrics: %q does not say that it never scales down", got)
	}
}

// An autoscaler that cannot read one metric of several calls itself active, or not, by what the others ask for.
func TestAMetricThatIsUnreadIsTold(t *testing.T) {
	cpu := autoscalingv2.MetricSpec{
		Type:              autoscalingv2.ContainerResourceMetricSourceType,
		ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: "cpu", Container: "gateway"},
	}
	inFlight := autoscalingv2.MetricSpec{
		Type:   autoscalingv2.ObjectMetricSourceType,
		Object: &autoscalingv2.ObjectMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "inflight"}},
	}
	read := func(kinds ...autoscalingv2.MetricSourceType) (statuses []autoscalingv2.MetricStatus) {
		for _, kind := range kinds {
			statuses = append(statuses, autoscalingv2.MetricStatus{Type: kind})
		}
		return statuses
	}
	const object, resource, unread = autoscalingv2.ObjectMetricSourceType, autoscalingv2.ContainerResourceMetricSourceType, ""
	for name, tt := range map[string]struct {
		read             []autoscalingv2.MetricStatus
		able, active     corev1.ConditionStatus
		reason, contains string
	}{
		"both":                  {read(object, resource), "True", "True", "Active", ""},
		"one, and more wanted":  {read(object, unread), "True", "True", "MetricUnreadable", "cpu of container gateway"},
		"one, and fewer wanted": {read(object, unread), "True", "False", "MetricUnreadable", "never down"},
		"the other":             {read(unread, resource), "True", "True", "MetricUnreadable", "inflight"},
		"none":                  {read(unread, unread), "True", "False", "FailedGetMetric", ""},
		"of another spec":       {read(unread), "True", "True", "Active", ""},
		"not able for another":  {read(object, unread), "False", "True", "FailedGetScale", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := steady()
			scaled(v1alpha1.MetricInFlight)(&f)
			f.autoscaler = &autoscalingv2.HorizontalPodAutoscaler{
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: []autoscalingv2.MetricSpec{inFlight, cpu}},
				Status: autoscalingv2.HorizontalPodAutoscalerStatus{
					CurrentMetrics: tt.read,
					Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
						{Type: autoscalingv2.AbleToScale, Status: tt.able, Reason: "FailedGetScale"},
						{Type: autoscalingv2.ScalingActive, Status: tt.active, Reason: "FailedGetMetric"},
					},
				},
			}
			if got := f.scalable(); got.Reason != tt.reason || !strings.Contains(got.Message, tt.contains) {
				t.Errorf("%s: %q; want %s with %q", got.Reason, got.Message, tt.reason, tt.contains)
			}
		})
	}
}

func TestMessagesAreBounded(t *testing.T) {
	f := steady()
	f.problem = &problem{"Invalid", strings.Repeat("ü", maxMessage)}
	for _, c := range conditionsOf(f) {
		if len(c.Message) > maxMessage+len(" …") || strings.ToValidUTF8(c.Message, "") != c.Message {
			t.Errorf("%s has a message of %d bytes", c.Type, len(c.Message))
		}
	}
}

func TestConditionsKeepTheirTimeAndGo(t *testing.T) {
	first := metav1.Now().Rfc3339Copy()
	status := &v1alpha1.LLMServiceStatus{}
	setConditions(status, []metav1.Condition{
		condition("Ready", "False", "Progressing", "on its way"), condition("Reconciling", "True", "Progressing", "on its way"),
	}, 1, first.Time)
	later := first.Add(60e9)
	setConditions(status, []metav1.Condition{condition("Ready", "False", "Pending", "still on its way")}, 2, later)
	want := []metav1.Condition{{
		Type: "Ready", Status: "False", Reason: "Pending", Message: "still on its way", ObservedGeneration: 2, LastTransitionTime: first,
	}}
	if diff := cmp.Diff(want, status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if meta.FindStatusCondition(status.Conditions, "Reconciling") != nil {
		t.Error("Reconciling is still there")
	}
}
