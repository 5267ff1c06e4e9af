package controllers

import (
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// unreadMetrics names the metrics that the autoscaler could not read while it read others; empty for none. Its own
// condition calls that active as long as the others do not ask for fewer replicas, and then an error: it never scales
// down. The status has a place for each metric of the spec, which is left empty for one that was not read.
func unreadMetrics(autoscaler *autoscalingv2.HorizontalPodAutoscaler) string {
	metrics, read := autoscaler.Spec.Metrics, autoscaler.Status.CurrentMetrics
	if len(read) != len(metrics) {
		return "" // a status of another spec, or none yet
	}
	var unread []string
	for i := range read {
		if read[i].Type == "" {
			unread = append(unread, metricName(&metrics[i]))
		}
	}
	if len(unread) == len(read) {
		return "" // its own conditions say why
	}
	return strings.Join(unread, " and ")
}

func metricName(metric *autoscalingv2.MetricSpec) string {
	switch {
	case metric.Object != nil:
		return metric.Object.Metric.Name
	case metric.ContainerResource != nil:
		return fmt.Sprintf("%s of container %s", metric.ContainerResource.Name, metric.ContainerResource.Container)
	default:
		return fmt.Sprintf("a metric of type %s", metric.Type)
	}
}
