package node

import (
	"context"
	"fmt"
	"strconv"
)

// metricsPort is where metrics-server listens, on the node's address.
const metricsPort = "4443"

type object = map[string]any

// registerMetrics tells the API where resource metrics come from. The Service
// has no selector, since metrics-server runs beside the pods, not in one.
func registerMetrics(ctx context.Context, c *client) error {
	port, err := strconv.Atoi(metricsPort)
	if err != nil {
		return fmt.Errorf("metrics-server's port: %w", err)
	}
	const namespace = "kube-system"
	parts := []struct {
		path   string
		object object
	}{
		{"/api/v1/namespaces/" + namespace + "/services/metrics-server", object{
			"apiVersion": "v1", "kind": "Service",
			"metadata": object{"name": "metrics-server"},
			"spec":     object{"ports": []object{{"name": "https", "port": 443, "targetPort": port, "protocol": "TCP"}}},
		}},
		{"/apis/discovery.k8s.io/v1/namespaces/" + namespace + "/endpointslices/metrics-server", object{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
			"metadata":    object{"name": "metrics-server", "labels": object{"kubernetes.io/service-name": "metrics-server"}},
			"addressType": "IPv4",
			"endpoints":   []object{{"addresses": []string{controlPlaneIP}, "conditions": object{"ready": true}}},
			"ports":       []object{{"name": "https", "port": port, "protocol": "TCP"}},
		}},
		{"/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", object{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
			"metadata": object{"name": "v1beta1.metrics.k8s.io"},
			"spec": object{
				"group": "metrics.k8s.io", "version": "v1beta1",
				"groupPriorityMinimum": 100, "versionPriority": 100,
				"insecureSkipTLSVerify": true, // its certificate is one it made for itself
				"service":               object{"name": "metrics-server", "namespace": namespace},
			},
		}},
	}
	for _, part := range parts {
		if err := c.apply(ctx, part.path, part.object); err != nil {
			return fmt.Errorf("register metrics-server: %w", err)
		}
	}
	return nil
}
