package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/controllers/render"
)

// TestChangedPods: admission of pods can change behind the Deployment's back what the contract of streams needs. Replicas of an
// older template keep what they were made with.
func TestChangedPods(t *testing.T) {
	_, rendered := renderedChild(t, "Deployment")
	var deployment appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rendered.Object, &deployment); err != nil {
		t.Fatal(err)
	}
	of := func(name, template string, age time.Duration, changes ...func(*corev1.PodSpec, *corev1.Container)) corev1.Pod {
		made := pod(name)
		made.CreationTimestamp = metav1.NewTime(moment.Add(-age))
		made.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: template}
		made.Spec = *deployment.Spec.Template.Spec.DeepCopy()
		for _, change := range changes {
			change(&made.Spec, &made.Spec.Containers[0])
		}
		return made
	}
	grace := func(seconds int64) func(*corev1.PodSpec, *corev1.Container) {
		return func(spec *corev1.PodSpec, _ *corev1.Container) { spec.TerminationGracePeriodSeconds = &seconds }
	}
	hook := func(handler corev1.LifecycleHandler) func(*corev1.PodSpec, *corev1.Container) {
		return func(_ *corev1.PodSpec, c *corev1.Container) { c.Lifecycle = &corev1.Lifecycle{PreStop: &handler} }
	}
	sleep := hook(corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 10}})
	const hooked = "spec.containers[gateway].lifecycle.preStop takes some of the time to drain, wanted none"
	abridged := pod("abridged")
	abridged.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "new"}
	for name, tt := range map[string]struct {
		pods []corev1.Pod
		want string
	}{
		"none":                         {},
		"as wanted":                    {pods: []corev1.Pod{of("a", "new", 0), of("b", "new", 0, grace(7200))}},
		"less time to drain":           {pods: []corev1.Pod{of("a", "new", 0, grace(30)), of("b", "new", 0)}, want: "spec.terminationGracePeriodSeconds is 30, wanted 320"},
		"the second of two":            {pods: []corev1.Pod{of("a", "new", 0), of("b", "new", 0, grace(30))}, want: "spec.terminationGracePeriodSeconds is 30, wanted 320"},
		"of an older template":         {pods: []corev1.Pod{of("a", "old", time.Hour, grace(30)), of("b", "new", 0)}},
		"one that nothing is known of": {pods: []corev1.Pod{abridged}},
		"other arguments": {pods: []corev1.Pod{of("a", "new", 0, func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Args = []string{"--max-stream-duration=1s"}
		})}, want: `spec.containers[gateway].args is ["--max-stream-duration=1s"], wanted ["--workers=2","--max-stream-duration=5m0s"]`},
		"no readiness probe": {pods: []corev1.Pod{of("a", "new", 0, func(_ *corev1.PodSpec, c *corev1.Container) {
			c.ReadinessProbe = nil
		})}, want: "spec.containers[gateway].readinessProbe is missing, wanted {"},
		"an impatient probe": {pods: []corev1.Pod{of("a", "new", 0, func(_ *corev1.PodSpec, c *corev1.Container) {
			c.LivenessProbe.FailureThreshold = 1
		})}, want: "spec.containers[gateway].livenessProbe.failureThreshold is 1, wanted 6"},
		"another port": {pods: []corev1.Pod{of("a", "new", 0, func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Ports[1].ContainerPort = 1
		})}, want: "spec.containers[gateway].ports[admin].containerPort is 1, wanted 9090"},
		"a hook":                        {pods: []corev1.Pod{of("a", "new", 0, hook(corev1.LifecycleHandler{Exec: &corev1.ExecAction{}}))}, want: hooked},
		"one that sleeps":               {pods: []corev1.Pod{of("a", "new", 0, sleep)}, want: hooked},
		"one that there is time for":    {pods: []corev1.Pod{of("a", "new", 0, sleep, grace(330))}},
		"one that there is no time for": {pods: []corev1.Pod{of("a", "new", 0, sleep, grace(329))}, want: hooked},
		"a sidecar, another image, limits, variables and mounts": {pods: []corev1.Pod{of("a", "new", 0, func(spec *corev1.PodSpec, c *corev1.Container) {
			c.Image, c.Env, c.VolumeMounts = "mirror.test/gateway", []corev1.EnvVar{{Name: "PROXY"}}, nil
			c.Resources = corev1.ResourceRequirements{}
			spec.HostNetwork, spec.RestartPolicy = true, corev1.RestartPolicyNever
			spec.Containers = append([]corev1.Container{{Name: "proxy", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{}}}}, spec.Containers...)
		})}},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join((&view{pods: tt.pods}).changedPods(&deployment), "; ")
			if want := "Pods of Deployment assistant: " + tt.want; tt.want == "" && got != "" || tt.want != "" && !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := (&view{pods: []corev1.Pod{of("a", "new", 0, grace(1))}}).changedPods(nil); got != nil {
		t.Errorf("without a Deployment: %q", got)
	}
	if deployment.Spec.Template.Spec.Containers[0].Name != render.ContainerName {
		t.Error("the first container is not the gateway's")
	}
}
