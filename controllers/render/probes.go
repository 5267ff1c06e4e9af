package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/runtime/config/report"
)

const (
	portNameHTTP  = "http"
	portNameAdmin = "admin"
)

func containerPort(name string, port int32) *accorev1.ContainerPortApplyConfiguration {
	return accorev1.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// addProbes makes readiness quick, since a replica that cannot serve should get no requests, and liveness slow, since
// a restart cuts every stream of a replica that is only busy.
func addProbes(c *accorev1.ContainerApplyConfiguration) {
	c.WithStartupProbe(probe(report.LivePath).WithPeriodSeconds(1).WithTimeoutSeconds(1).WithFailureThreshold(60)).
		WithReadinessProbe(probe(report.ReadyPath).WithPeriodSeconds(1).WithTimeoutSeconds(1).WithFailureThreshold(2)).
		WithLivenessProbe(probe(report.LivePath).WithPeriodSeconds(10).WithTimeoutSeconds(10).WithFailureThreshold(6))
}

func probe(path string) *accorev1.ProbeApplyConfiguration {
	return accorev1.Probe().WithHTTPGet(accorev1.HTTPGetAction().
		WithPath(path).
		WithPort(intstr.FromString(portNameAdmin)))
}
