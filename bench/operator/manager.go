package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// manager is a process that runs the operator.
type manager struct {
	cmd     *exec.Cmd
	log     *os.File
	metrics string
	most    float64
}

// run starts a manager.
func (b *bed) run(ctx context.Context, flags ...string) (*manager, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	m := &manager{metrics: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("free a port: %w", err)
	}
	if m.log, err = os.CreateTemp(b.dir, "log-"); err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	args := append([]string{
		"--gateway-image=gateway:bench", "--kubeconfig=" + b.kubeconfig(), "--custom-metrics-port=0",
		"--health-probe-bind-address=0", "--metrics-bind-address=" + m.metrics,
	}, flags...)
	m.cmd = exec.CommandContext(ctx, b.manager, args...) //nolint:gosec // the program that was just built
	// GOMEMLIMIT is what the chart's memory limit gives.
	m.cmd.Env = append(os.Environ(), "POD_NAMESPACE="+namespace, "GOMEMLIMIT=460MiB")
	m.cmd.Stderr = m.log
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a manager: %w", err)
	}
	return m, nil
}

// end ends the process with a signal.
func (m *manager) end(with syscall.Signal) {
	_ = m.cmd.Process.Signal(with)
	_ = m.cmd.Wait()
	_ = m.log.Close()
}

// said is the end of what it logged, for errors.
func (m *manager) said() error {
	text, err := os.ReadFile(m.log.Name())
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %s", filepath.Base(m.log.Name()), text[max(0, len(text)-2000):])
}

// families are what it says of itself, by name.
func (m *manager) families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.metrics+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask for metrics: %w", err), m.said())
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return families, nil
}

// sample keeps the most memory that was seen.
func (m *manager) sample(ctx context.Context) error {
	families, err := m.families(ctx)
	if err != nil {
		return err
	}
	m.most = max(m.most, sum(families["process_resident_memory_bytes"], nil)/(1<<20))
	return nil
}

// requests counts those to the API server, of some methods.
func (m *manager) requests(ctx context.Context, of func(method string) bool) (float64, error) {
	families, err := m.families(ctx)
	if err != nil {
		return 0, err
	}
	return sum(families["rest_client_requests_total"], func(labels map[string]string) bool { return of(labels["method"]) }), nil
}

func writes(method string) bool { return method != http.MethodGet }

func all(string) bool { return true }

// sum adds up the values of a family's metrics that are wanted.
func sum(family *dto.MetricFamily, want func(labels map[string]string) bool) float64 {
	total := 0.0
	for _, metric := range family.GetMetric() {
		labels := map[string]string{}
		for _, pair := range metric.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		if want == nil || want(labels) {
			total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return total
}

// percentile is the upper bound of the bucket that it is in, over all of a family's histograms, without what was counted
// before: nil for nothing.
func percentile(family, before *dto.MetricFamily, p float64) float64 {
	counts, total := buckets(family)
	earlier, fewer := buckets(before)
	for _, bound := range slices.Sorted(maps.Keys(counts)) {
		if total > fewer && float64(counts[bound]-earlier[bound]) >= p*float64(total-fewer) {
			return bound
		}
	}
	return math.Inf(1)
}

// buckets are the cumulative counts of a family's histograms together, by their upper bounds, and how many values there were.
func buckets(family *dto.MetricFamily) (counts map[float64]uint64, total uint64) {
	counts = map[float64]uint64{}
	for _, metric := range family.GetMetric() {
		total += metric.GetHistogram().GetSampleCount()
		for _, bucket := range metric.GetHistogram().GetBucket() {
			counts[bucket.GetUpperBound()] += bucket.GetCumulativeCount()
		}
	}
	return counts, total
}

// sampling samples until the context ends.
func (m *manager) sampling(ctx context.Context) {
	for ctx.Err() == nil {
		_ = m.sample(ctx) // it may not listen yet
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
