package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/runtime/config"
)

const (
	portNameHTTP  = "http"
	portNameAdmin = "admin"
)

func containerPort(name string, port int32) *corev1apply.ContainerPortApplyConfiguration {
	return corev1apply.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// addProbes makes readiness quick, since a replica that cannot serve should get no requests, and liveness slow, since
// a restart cuts every stream of a replica that is only busy.
func addProbes(c *corev1apply.ContainerApplyConfiguration) {
	c.WithStartupProbe(probe(config.LivePath).WithPeriodSeconds(1).WithTimeoutSeconds(1).WithFailureThreshold(60)).
		WithReadinessProbe(probe(config.ReadyPath).WithPeriodSeconds(1).WithTimeoutSeconds(1).WithFailureThreshold(2)).
		WithLivenessProbe(probe(config.LivePath).WithPeriodSeconds(10).WithTimeoutSeconds(10).WithFailureThreshold(6))
}

func probe(path string) *corev1apply.ProbeApplyConfiguration {
	return corev1apply.Probe().WithHTTPGet(corev1apply.HTTPGetAction().
		WithPath(path).
		WithPort(intstr.FromString(portNameAdmin)))
}
