package operator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// podTemplate sets the template of the pods, which is YAML.
func podTemplate(t *testing.T, template string) func(*v1alpha1.LLMService) {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	return func(l *v1alpha1.LLMService) {
		if l.Spec.Runtime == nil {
			l.Spec.Runtime = &v1alpha1.Runtime{}
		}
		l.Spec.Runtime.PodTemplate = &v1alpha1.JSON{Raw: encoded}
	}
}

// meshed has all that a template is for, with a stand-in for a mesh's proxy and a second container.
const meshed = `
metadata: {labels: {team: a}, annotations: {linkerd.io/inject: enabled}}
spec:
  nodeSelector: {pool: gateways}
  tolerations: [{key: gateways, operator: Exists}]
  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [
    {weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}}
  imagePullSecrets: [{name: registry}]
  hostAliases: [{ip: 10.0.0.7, hostnames: [model.internal]}]
  dnsConfig: {options: [{name: ndots, value: "2"}]}
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {team: a}}}
  initContainers:
  - name: proxy
    image: gateway:proxy
    restartPolicy: Always
    ports: [{containerPort: 15090}]
    readinessProbe: {httpGet: {path: /healthz/ready, port: 15021}}
    resources: {requests: {cpu: "0.1"}, limits: {memory: "1.5Gi"}}
  containers:
  - {name: logs, image: "gateway:logs", env: [{name: KEY, valueFrom: {secretKeyRef: {name: a, key: b}}}]}
  - {name: gateway, env: [{name: TZ, value: UTC}], volumeMounts: [{name: scratch, mountPath: /scratch}], securityContext: {runAsUser: 7}}
  volumes:
  - {name: scratch, emptyDir: {sizeLimit: 64Mi}}
  - {name: token, projected: {sources: [{serviceAccountToken: {audience: vault, path: token}}]}}
`

// TestPodTemplate: what a template adds is in the Deployment with all that the service needs; the operator then writes nothing more,
// and undoes an edit of it. Another template replaces the pods with surge; without one, nothing of it is left.
func TestPodTemplate(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything)
	s.up(service)
	plain := s.deployment(service)

	s.edit(service, podTemplate(t, meshed))
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Progressing")
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()
	deployment := s.deployment(service)
	pod := &deployment.Spec.Template.Spec
	if pod.Containers[0].Name != render.ContainerName || len(pod.Containers) != 2 || len(pod.InitContainers) != 1 || len(pod.Volumes) != 3 {
		t.Errorf("the pods are %v", pod)
	}
	if *pod.TerminationGracePeriodSeconds != *plain.Spec.Template.Spec.TerminationGracePeriodSeconds {
		t.Error("they have another time to drain")
	}
	if diff := cmp.Diff(plain.Spec.Strategy, deployment.Spec.Strategy); diff != "" {
		t.Errorf("they roll otherwise (-without +with):\n%s", diff)
	}
	s.storm(service)
	s.silent(t)

	edit(t, deployment, func() { deployment.Spec.Template.Spec.NodeSelector = nil })
	s.awaitTemplate(service, func(pod *corev1.PodTemplateSpec) bool { return pod.Spec.NodeSelector["pool"] == "gateways" })

	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Runtime.PodTemplate = nil })
	s.awaitTemplate(service, func(pod *corev1.PodTemplateSpec) bool {
		return cmp.Equal(pod.Spec, plain.Spec.Template.Spec) && cmp.Equal(pod.Labels, plain.Spec.Template.Labels)
	})
}

// A template with a mistake changes nothing, and the condition names its field.
func TestARefusedPodTemplateChangesNothing(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	before := s.deployment(service)
	for template, want := range map[string]string{
		"{spec: {terminationGracePeriodSeconds: 30}}": "spec.runtime.podTemplate.spec.terminationGracePeriodSeconds: must not be set",
		"{spec: {nodeselector: {a: b}}}":              `spec.runtime.podTemplate: unknown field "spec.nodeselector"`,
	} {
		s.edit(service, func(l *v1alpha1.LLMService) {
			podTemplate(t, template)(l)
			model("m-" + fmt.Sprint(len(template)))(l)
		})
		if message := s.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/Invalid"); !strings.HasPrefix(message, want) {
			t.Errorf("%s: ConfigValid says %q", template, message)
		}
	}
	s.settle()
	if after := s.deployment(service); after.Generation != before.Generation {
		t.Error("the Deployment was changed")
	}
}

// Values that only the API server knows to be wrong are reported in its own words, and the running pods stay.
func TestAPodTemplateThatTheAPIServerRefuses(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.edit(service, podTemplate(t, "{spec: {containers: [{name: logs}]}}"))
	const want = "spec.template.spec.containers[1].image: Required value"
	if message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/ApplyFailed"); !strings.Contains(message, want) {
		t.Errorf("Stalled says %q, want %s", message, want)
	}
	s.edit(service, podTemplate(t, "{}"))
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

func (s *system) deployment(service *v1alpha1.LLMService) *appsv1.Deployment {
	s.t.Helper()
	deployment := &appsv1.Deployment{}
	if !exists(s.t, client.ObjectKeyFromObject(service), deployment) {
		s.t.Fatal("there is no Deployment")
	}
	return deployment
}

func (s *system) awaitTemplate(service *v1alpha1.LLMService, ok func(*corev1.PodTemplateSpec) bool) {
	s.t.Helper()
	eventually(s.t, "the template", func() error {
		if pods := s.deployment(service).Spec.Template; !ok(&pods) {
			return errors.New("it is " + pods.String())
		}
		return nil
	})
}
