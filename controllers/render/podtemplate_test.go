package render_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// overlay returns the minimal service with a pod template, which is YAML.
func overlay(t *testing.T, template string) *v1alpha1.LLMService {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, "minimal")
	s.Spec.Runtime.PodTemplate = &v1alpha1.JSON{Raw: encoded}
	return s
}

func typedTemplate(t *testing.T, s *v1alpha1.LLMService) corev1.PodTemplateSpec {
	t.Helper()
	encoded, err := json.Marshal(template(t, input(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	var typed corev1.PodTemplateSpec
	if err := json.Unmarshal(encoded, &typed); err != nil {
		t.Fatal(err)
	}
	return typed
}

// What a template leaves out stays as it is without one, including each list that it adds to.
func TestPodTemplateIsMerged(t *testing.T) {
	plain := typedTemplate(t, service(t, "minimal"))
	for name, tt := range map[string]struct {
		template string
		change   func(*corev1.PodTemplateSpec)
	}{
		"empty":               {"{}", func(*corev1.PodTemplateSpec) {}},
		"null":                {"{metadata: null, spec: {containers: null, volumes: null}}", func(*corev1.PodTemplateSpec) {}},
		"list without a name": {"{spec: {tolerations: [{operator: Exists}]}}", func(p *corev1.PodTemplateSpec) { p.Spec.Tolerations = []corev1.Toleration{{Operator: "Exists"}} }},
		"label":               {"{metadata: {labels: {team: a}}}", func(p *corev1.PodTemplateSpec) { p.Labels["team"] = "a" }},
		"annotation":          {"{metadata: {annotations: {team: a}}}", func(p *corev1.PodTemplateSpec) { p.Annotations = map[string]string{"team": "a"} }},
		"environment": {"{spec: {containers: [{name: gateway, env: [{name: TZ, value: UTC}]}]}}", func(p *corev1.PodTemplateSpec) {
			c := &p.Spec.Containers[0]
			c.Env = append([]corev1.EnvVar{{Name: "TZ", Value: "UTC"}}, c.Env...)
		}},
		"security of the gateway": {"{spec: {containers: [{name: gateway, securityContext: {runAsUser: 7}}]}}", func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers[0].SecurityContext.RunAsUser = new(int64(7))
		}},
		"second container": {"{spec: {containers: [{name: a, image: b}]}}", func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "a", Image: "b"})
		}},
		"native sidecar": {"{spec: {initContainers: [{name: a, image: b, restartPolicy: Always}]}}", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers = []corev1.Container{{Name: "a", Image: "b", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}}
		}},
		"volume": {"{spec: {volumes: [{name: a, emptyDir: {}}]}}", func(p *corev1.PodTemplateSpec) {
			a := corev1.Volume{Name: "a", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
			p.Spec.Volumes = append([]corev1.Volume{a}, p.Spec.Volumes...)
		}},
		"token": {"{spec: {automountServiceAccountToken: true}}", func(p *corev1.PodTemplateSpec) { p.Spec.AutomountServiceAccountToken = new(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			want := plain.DeepCopy()
			tt.change(want)
			if diff := cmp.Diff(*want, typedTemplate(t, overlay(t, tt.template))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each refusal names the field, and says what to do. An empty want says that the template is accepted.
func TestCheckPodTemplate(t *testing.T) {
	const gateway = "{spec: {containers: [{name: proxy, image: 'g:proxy'}, {name: gateway, %s}]}}"
	of := func(members string) string { return strings.Replace(gateway, "%s", members, 1) }
	for _, tt := range []struct{ template, want string }{
		{"{}", ""},
		{"{spec: {hostNetwork: false}}", ""},
		{"{spec: {shareProcessNamespace: true, securityContext: {fsGroup: 7}, schedulerName: mine}}", ""},
		{"[]", "runtime.podTemplate: is not a PodTemplateSpec: "},
		{"{spec: {replicas: 3}}", `runtime.podTemplate: unknown field "spec.replicas"`},
		{"{spec: {NodeSelector: {a: b}}}", `runtime.podTemplate: unknown field "spec.NodeSelector"`},
		{"{spec: {containers: [{name: a, imag: b}]}}", `runtime.podTemplate: unknown field "spec.containers[0].imag"`},
		{"{spec: {$patch: replace}}", `runtime.podTemplate: unknown field "spec.$patch"`},
		{"{spec: {tolerations: {}}}", "runtime.podTemplate: is not a PodTemplateSpec: "},
		{"{metadata: {annotations: {a: " + strings.Repeat("b", 32<<10) + "}}}", "runtime.podTemplate: has 32805 bytes as JSON, allowed are 32768"},

		{"{metadata: {name: a}}", "runtime.podTemplate.metadata.name: must not be set: "},
		{"{metadata: {finalizers: [a/b]}}", "runtime.podTemplate.metadata.finalizers: must not be set: "},
		{"{metadata: {labels: {app.kubernetes.io/instance: b}}}", "runtime.podTemplate.metadata.labels[app.kubernetes.io/instance]: must not be set: "},
		{"{metadata: {labels: {app.kubernetes.io/version: b, pod-template-hash: c}}}", "runtime.podTemplate.metadata.labels[pod-template-hash]: must not be set: "},
		{"{metadata: {annotations: {serving.llmservice.dev/config-nudge: b}}}", "runtime.podTemplate.metadata.annotations[serving.llmservice.dev/config-nudge]: "},
		{"{metadata: {annotations: {controller.kubernetes.io/pod-deletion-cost: '1'}}}", "runtime.podTemplate.metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: "},

		{"{spec: {terminationGracePeriodSeconds: 0}}", "runtime.podTemplate.spec.terminationGracePeriodSeconds: must not be set: it derives from runtime.maxStreamDuration"},
		{"{spec: {restartPolicy: Never}}", "runtime.podTemplate.spec.restartPolicy: must not be set: "},
		{"{spec: {activeDeadlineSeconds: 7}}", "runtime.podTemplate.spec.activeDeadlineSeconds: must not be set: "},
		{"{spec: {ephemeralContainers: [{name: a}]}}", "runtime.podTemplate.spec.ephemeralContainers: must not be set: "},
		{"{spec: {serviceAccountName: admin}}", "runtime.podTemplate.spec.serviceAccountName: must not be set: "},
		{"{spec: {serviceAccount: admin}}", "runtime.podTemplate.spec.serviceAccount: must not be set: "},
		{"{spec: {nodeName: a}}", "runtime.podTemplate.spec.nodeName: must not be set: "},
		{"{spec: {hostNetwork: true}}", "runtime.podTemplate.spec.hostNetwork: must not be set: "},
		{"{spec: {hostPID: true}}", "runtime.podTemplate.spec.hostPID: must not be set: "},
		{"{spec: {hostIPC: true}}", "runtime.podTemplate.spec.hostIPC: must not be set: "},
		{"{spec: {volumes: [{name: config, emptyDir: {}}]}}", `runtime.podTemplate.spec.volumes[0].name: "config" is the name of a volume of the gateway`},
		{"{spec: {volumes: [{name: a}, {name: secret-0123456789abcdef}]}}", `runtime.podTemplate.spec.volumes[1].name: "secret-0123456789abcdef" is `},
		{"{spec: {volumes: [{name: secret-keys, emptyDir: {}}]}}", ""},

		{of("env: [{name: HTTPS_PROXY, value: a}]"), ""},
		{of("envFrom: [{configMapRef: {name: a}}]"), ""},
		{of("env: [{name: LLMSERVICE_ENGINE, value: nethttp}, {name: LLMSERVICE_UPSTREAM_CLIENT, value: nethttp}]"), ""},
		{of("volumeMounts: [{name: a, mountPath: /etc/ssl}]"), ""},
		{of("imagePullPolicy: Always, resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]"), ""},
		{of("image: g"), "runtime.podTemplate.spec.containers[1].image: must not be set: set runtime.image"},
		{of("command: [a]"), "runtime.podTemplate.spec.containers[1].command: must not be set: allowed in the gateway's container are env, "},
		{of("args: [a]"), "runtime.podTemplate.spec.containers[1].args: must not be set: "},
		{of("ports: [{containerPort: 7}]"), "runtime.podTemplate.spec.containers[1].ports: must not be set: "},
		{of("livenessProbe: {}"), ""},
		{of("livenessProbe: {periodSeconds: 1}"), "runtime.podTemplate.spec.containers[1].livenessProbe: must not be set: "},
		{of("readinessProbe: {periodSeconds: 1}"), "runtime.podTemplate.spec.containers[1].readinessProbe: must not be set: "},
		{of("startupProbe: {periodSeconds: 1}"), "runtime.podTemplate.spec.containers[1].startupProbe: must not be set: "},
		{of("lifecycle: {preStop: {sleep: {seconds: 1}}}"), "runtime.podTemplate.spec.containers[1].lifecycle: must not be set: "},
		{of("resources: {limits: {cpu: 1}}"), "runtime.podTemplate.spec.containers[1].resources: must not be set: set runtime.resources"},
		{of("terminationMessagePath: /a"), "runtime.podTemplate.spec.containers[1].terminationMessagePath: must not be set: "},
		{of("env: [{name: A}, {name: GOMEMLIMIT, value: '1'}]"), "runtime.podTemplate.spec.containers[1].env[1].name: GOMEMLIMIT must not be set: "},
		{of("env: [{name: LLMSERVICE_WORKERS, value: Auto}]"), "runtime.podTemplate.spec.containers[1].env[0].name: LLMSERVICE_WORKERS must not be set: "},
		{of("volumeMounts: [{name: a, mountPath: /etc/llmservice/secrets/b}]"), "runtime.podTemplate.spec.containers[1].volumeMounts[0].mountPath: /etc/llmservice/secrets/b would hide"},
		{of("volumeMounts: [{name: a, mountPath: /etc/./}]"), "runtime.podTemplate.spec.containers[1].volumeMounts[0].mountPath: /etc would hide"},
		{of("volumeMounts: [{name: a, mountPath: /}]"), "runtime.podTemplate.spec.containers[1].volumeMounts[0].mountPath: / would hide"},

		{"{spec: {initContainers: [{name: gateway, image: g}]}}", `runtime.podTemplate.spec.initContainers[0].name: "gateway" is the name of `},
		{"{spec: {containers: [{name: a, image: g, ports: [{containerPort: 7}, {containerPort: 8080}]}]}}", "runtime.podTemplate.spec.containers[0].ports[1]: the gateway has the ports 8080 and 9090"},
		{"{spec: {initContainers: [{name: a, image: g, ports: [{name: http, containerPort: 7}]}]}}", "runtime.podTemplate.spec.initContainers[0].ports[0]: the gateway has "},
	} {
		errs := render.CheckChildren(overlay(t, tt.template))
		switch {
		case tt.want == "" && len(errs) == 0:
		case tt.want == "" || len(errs) == 0 || !strings.HasPrefix(errs[0].Error(), tt.want):
			t.Errorf("%.80s: got %v, want %s", tt.template, errs, tt.want)
		}
	}
}

// A template has several mistakes at once, and all are named.
func TestCheckPodTemplateNamesAll(t *testing.T) {
	errs := render.CheckChildren(overlay(t, "{metadata: {name: a}, spec: {hostIPC: true, volumes: [{name: config}], a: b}}"))
	if len(errs) != 4 {
		t.Errorf("got %v, want 4 errors", errs)
	}
}

// A template that an older release accepted is rendered as it was, whatever this one refuses.
func TestAcceptedPodTemplateIsRendered(t *testing.T) {
	if got := typedTemplate(t, overlay(t, "{spec: {hostIPC: true, a: b}}")); !got.Spec.HostIPC {
		t.Error("the template was not merged")
	}
}
