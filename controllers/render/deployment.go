package render

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	acappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// ContainerName is the name of the container that a gateway runs in.
const ContainerName = "gateway"

const (
	// A change of the spec can be taken back by the spec: old ReplicaSets are for kubectl rollout history only.
	revisionHistoryLimit = 3
	// A gateway is ready within seconds; what takes longer is a large image or a missing node.
	progressDeadlineSeconds = 300
	// The group that gateways run as, which is the image's. Their user is the image's, too, or the platform's.
	groupID = 65532
)

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch

func deployment(in Input) ([]Child, error) {
	s := in.Service
	template, err := podTemplate(in)
	if err != nil {
		return nil, err
	}
	origin, err := originOf(in)
	if err != nil {
		return nil, err
	}
	object := acappsv1.Deployment(s.Name, s.Namespace).WithSpec(acappsv1.DeploymentSpec().
		WithReplicas(in.Replicas).
		WithRevisionHistoryLimit(revisionHistoryLimit).
		WithPaused(false). // a Deployment that somebody paused rolls out nothing, and says so nowhere
		WithProgressDeadlineSeconds(progressDeadlineSeconds).
		WithSelector(acmetav1.LabelSelector().WithMatchLabels(SelectorLabels(s))).
		WithStrategy(rollingUpdate()).
		WithTemplate(template))
	child := NewChild(object, object.ObjectMetaApplyConfiguration)
	child.Origin = origin
	return []Child{child}, nil
}

// A new replica takes requests before an old one drains.
func rollingUpdate() *acappsv1.DeploymentStrategyApplyConfiguration {
	return acappsv1.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(acappsv1.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).
			WithMaxSurge(intstr.FromString("25%")))
}

// The template has no topologySpreadConstraints: without any, the scheduler spreads pods by its own, over nodes and zones, and a
// single one replaces them all.
//
// The template depends on the config through the names of its Secrets alone: whatever else changes is reloaded in
// place, and no pod is replaced.
func podTemplate(in Input) (*accorev1.PodTemplateSpecApplyConfiguration, error) {
	r := runtimeOf(in.Service)
	maxStream, err := r.MaxStreamDuration.Parse()
	if err != nil {
		return nil, fmt.Errorf("spec.runtime.maxStreamDuration: %w", err)
	}
	container, err := gatewayContainer(in, maxStream)
	if err != nil {
		return nil, err
	}
	volumes := volumesOf(in)
	for i := range volumes {
		container.WithVolumeMounts(volumes[i].mount)
	}
	pod := accorev1.PodSpec().
		WithServiceAccountName(in.Service.Name).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(wholeSeconds(delivery.GracePeriod(maxStream))).
		WithSecurityContext(podSecurity()).
		WithContainers(container)
	for _, name := range in.Gateway.PullSecrets {
		pod.WithImagePullSecrets(accorev1.LocalObjectReference().WithName(name))
	}
	for i := range volumes {
		pod.WithVolumes(volumes[i].volume)
	}
	return overlaid(accorev1.PodTemplateSpec().WithLabels(Labels(in.Service)).WithSpec(pod), in.Service)
}

// No user and no fsGroup: OpenShift gives each namespace its own, and refuses others.
func podSecurity() *accorev1.PodSecurityContextApplyConfiguration {
	return accorev1.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithSeccompProfile(accorev1.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

// The group has to be set, because with the user alone, which the kubelet takes from the image, a process gets root's group. It is
// the container's and not the pod's: containerd starts no pod that names a group and no user.
func containerSecurity() *accorev1.SecurityContextApplyConfiguration {
	return accorev1.SecurityContext().
		WithRunAsGroup(groupID).
		WithAllowPrivilegeEscalation(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(accorev1.Capabilities().WithDrop("ALL"))
}

func gatewayContainer(in Input, maxStream time.Duration) (*accorev1.ContainerApplyConfiguration, error) {
	r := runtimeOf(in.Service)
	container := accorev1.Container().
		WithName(ContainerName).
		WithImage(imageOf(in)).
		WithPorts(containerPort(portNameHTTP, delivery.Port), containerPort(portNameAdmin, delivery.AdminPort)).
		WithTerminationMessagePath(report.TerminationLog).
		WithTerminationMessagePolicy(corev1.TerminationMessageReadFile).
		WithSecurityContext(containerSecurity())
	if err := addWorkers(container, in.Service); err != nil {
		return nil, err
	}
	container.WithArgs("--max-stream-duration=" + maxStream.String())
	if in.Gateway.PullPolicy != "" {
		container.WithImagePullPolicy(in.Gateway.PullPolicy)
	}
	if in.Gateway.LogLevel != "" {
		container.WithArgs("--log-level=" + in.Gateway.LogLevel)
	}
	addAddresses(container, in.Gateway.Addresses)
	addProxy(container, in.Gateway.Proxy)
	addProbes(container)
	addResources(container, r.Resources)
	return container, nil
}

// addAddresses adds an argument only if a list has an entry, because an older gateway does not know these arguments.
func addAddresses(container *accorev1.ContainerApplyConfiguration, rules addresses.Rules) {
	for _, p := range rules.Allowed {
		container.WithArgs("--allowed-address=" + p.String())
	}
	for _, p := range rules.Denied {
		container.WithArgs("--denied-address=" + p.String())
	}
}

// addProxy adds arguments only if there is a proxy, for the same reason.
func addProxy(container *accorev1.ContainerApplyConfiguration, proxy egress.Proxy) {
	if proxy.Server == "" {
		return
	}
	container.WithArgs("--https-proxy=" + string(proxy.Server))
	if proxy.Except != "" {
		container.WithArgs("--no-proxy=" + string(proxy.Except))
	}
}

func imageOf(in Input) string {
	if image := runtimeOf(in.Service).Image; image != "" {
		return image
	}
	return in.Gateway.Image
}

// wholeSeconds rounds up: a grace period may be longer than needed, but never shorter.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
