package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// What is read of one answer, and kept of it, is bounded: the pod is a tenant's, and there may be thousands.
const (
	maxStatusBytes = 64 << 10
	maxHeaderBytes = 4 << 10
	// maxSecrets is well above what one config can name.
	maxSecrets = 512
	// maxRejection is what a condition shows.
	maxRejection = 2 << 10
	// bufferBytes are for the two buffers of each connection that is kept. An answer fits in or is read in parts.
	bufferBytes = 1 << 10
)

// PodAddress is the host and port of a pod's admin listener.
func PodAddress(pod *corev1.Pod) string {
	return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(delivery.AdminPort))
}

// statusClient asks a gateway for its status, over a connection that it keeps.
type statusClient struct {
	http    *http.Client
	address func(*corev1.Pod) string
}

func newStatusClient(address func(*corev1.Pod) string) *statusClient {
	transport := &http.Transport{
		// A proxy of the environment is for the way out of the cluster, not for its pods.
		Proxy:                  nil,
		DialContext:            (&net.Dialer{}).DialContext,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         bufferBytes,
		WriteBufferSize:        bufferBytes,
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &statusClient{http: &http.Client{Transport: transport, CheckRedirect: refuse}, address: address}
}

// fetch reads the pod's status. Members that this build does not know are ignored: a gateway may be a release ahead.
func (c *statusClient) fetch(ctx context.Context, pod *corev1.Pod) (report.Status, error) {
	var status report.Status
	url := "http://" + c.address(pod) + report.StatusPath
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return status, fmt.Errorf("status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return status, fmt.Errorf("status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return status, fmt.Errorf("status of pod %s/%s: HTTP %d, want 200", pod.Namespace, pod.Name, response.StatusCode)
	}
	if status, err = readStatus(response.Body); err != nil {
		return report.Status{}, fmt.Errorf("status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return status, nil
}

// readStatus decodes an answer once all of it is there: what is decoded takes many times its bytes, and must not be held
// by one that sends the rest slowly.
func readStatus(body io.Reader) (report.Status, error) {
	var status report.Status
	encoded, err := io.ReadAll(io.LimitReader(body, maxStatusBytes+1))
	if err != nil {
		return status, fmt.Errorf("read it: %w", err)
	}
	if len(encoded) > maxStatusBytes {
		return status, fmt.Errorf("more than %d bytes", maxStatusBytes)
	}
	if err := json.Unmarshal(encoded, &status); err != nil {
		return status, fmt.Errorf("decode it: %w", err)
	}
	if len(status.Secrets) > maxSecrets || len(status.RefusedKeys) > maxSecrets {
		return status, fmt.Errorf("%d secrets and %d refused keys, want at most %d of each",
			len(status.Secrets), len(status.RefusedKeys), maxSecrets)
	}
	if r := status.Rejected; r != nil && len(r.Message) > maxRejection {
		r.Message = strings.Clone(strings.ToValidUTF8(r.Message[:maxRejection], "")) + " …"
	}
	return status, nil
}

func (c *statusClient) close() { c.http.CloseIdleConnections() }
