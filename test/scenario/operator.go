package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// managerMetricsPort is where a manager serves its own metrics.
const managerMetricsPort = 8080

// OperatorPods are the operator's pods, those that end included.
func (c *Cluster) OperatorPods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := c.List(ctx, &list, client.InNamespace(OperatorNamespace)); err != nil {
		return nil, fmt.Errorf("list the operator's pods: %w", err)
	}
	return list.Items, nil
}

// RestartOperator deletes all of the operator's pods at once, and waits until as many others are ready.
func (c *Cluster) RestartOperator(ctx context.Context) (time.Duration, error) {
	old, err := c.OperatorPods(ctx)
	if err != nil {
		return 0, err
	}
	var gone []types.UID
	for i := range old {
		gone = append(gone, old[i].UID)
		if err := client.IgnoreNotFound(c.Delete(ctx, &old[i])); err != nil {
			return 0, fmt.Errorf("delete pod %s: %w", old[i].Name, err)
		}
	}
	return Await(ctx, InstalledWithin, "the operator is back", func(ctx context.Context) error {
		pods, err := c.OperatorPods(ctx)
		if err != nil {
			return err
		}
		for i := range pods {
			if slices.Contains(gone, pods[i].UID) || !ready(&pods[i]) {
				return fmt.Errorf("pod %s is old, or not ready", pods[i].Name)
			}
		}
		if len(pods) < len(gone) {
			return fmt.Errorf("%d pods, want %d", len(pods), len(gone))
		}
		return nil
	})
}

// CutStreams is how many of a service's streams were cut by the count of the gateways themselves: open on a replica
// that vanished, and never ended. The operator keeps it; it begins at 0 with each of its own lives.
func (c *Cluster) CutStreams(ctx context.Context, s *Service) (int, error) {
	object, err := s.Get(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	if streams := object.Status.Streams; streams != nil && streams.LastCut != nil {
		count = int(streams.LastCut.Count)
	}
	pods, err := c.OperatorPods(ctx)
	if err != nil {
		return 0, err
	}
	if len(pods) == 0 {
		return 0, errors.New("the operator has no pods")
	}
	total := 0
	for i := range pods {
		samples, err := managerMetric(ctx, &pods[i], "llmservice_streams_cut_total")
		if err != nil {
			return 0, err
		}
		for _, sample := range samples {
			if string(sample.Metric["namespace"]) == s.Namespace() && string(sample.Metric["name"]) == s.Name() {
				total += int(sample.Value)
			}
		}
	}
	return max(count, total), nil
}

// managerMetric reads the samples of one of a manager's metrics.
func managerMetric(ctx context.Context, pod *corev1.Pod, name string) (model.Vector, error) {
	url := "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(managerMetricsPort)) + "/metrics"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", pod.Name, err)
	}
	res, err := quick.Do(req)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", pod.Name, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics of %s: %s", pod.Name, res.Status)
	}
	samples, err := samplesOf(res.Body, name)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", pod.Name, err)
	}
	return samples, nil
}
