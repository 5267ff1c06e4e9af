package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/mockllm"
)

const (
	mockName = "mockllm"
	// mockPort is the one that the samples' URLs have.
	mockPort = 8000
	// keysDir is where the mock's pod has the Secret of its API key.
	keysDir = "/keys"
)

// Upstream is test/mockllm, running in the cluster as a model server would.
type Upstream struct {
	namespace string
	service   string
	address   string
}

// UpstreamOptions configure an upstream.
type UpstreamOptions struct {
	// Services are the names under which it is reached; empty stands for mockllm alone.
	Services []string
	// KeySecret and Key name the API key that the upstream asks for; empty asks for none.
	KeySecret, Key string
	// Node is where its pods run; empty leaves that to the scheduler.
	Node string
}

// StartUpstream runs an upstream in a namespace and waits until it answers.
func (c *Cluster) StartUpstream(ctx context.Context, namespace string, o UpstreamOptions) (*Upstream, error) {
	if len(o.Services) == 0 {
		o.Services = []string{mockName}
	}
	labels := mockLabels()
	if err := c.Create(ctx, c.mockDeployment(namespace, labels, o)); err != nil {
		return nil, fmt.Errorf("create upstream: %w", err)
	}
	u := &Upstream{namespace: namespace, service: o.Services[0]}
	for _, name := range o.Services {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: corev1.ServiceSpec{
			Selector: labels,
			Ports:    []corev1.ServicePort{{Port: mockPort, TargetPort: intstr.FromInt32(mockPort)}},
		}}
		if err := c.Create(ctx, service); err != nil {
			return nil, fmt.Errorf("create upstream: %w", err)
		}
		u.address = mockAt(service.Spec.ClusterIP)
	}
	_, err := Await(ctx, ReadyWithin, "the upstream answers", func(ctx context.Context) error {
		_, err := u.Stats(ctx)
		return err
	})
	return u, err
}

func mockLabels() map[string]string { return map[string]string{"app": mockName} }

func mockAt(address string) string {
	return "http://" + net.JoinHostPort(address, strconv.Itoa(mockPort))
}

func (c *Cluster) mockDeployment(namespace string, labels map[string]string, o UpstreamOptions) *appsv1.Deployment {
	container := corev1.Container{
		Name:  mockName,
		Image: c.Images.Mock,
		Args:  []string{"--listen=:" + strconv.Itoa(mockPort)},
		Ports: []corev1.ContainerPort{{ContainerPort: mockPort}},
		// Patient once it is ready: on a busy machine a probe may be late, and the upstream would vanish from its Service.
		ReadinessProbe: &corev1.Probe{
			PeriodSeconds: 1, TimeoutSeconds: 10, FailureThreshold: 10,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/healthz", Port: intstr.FromInt32(mockPort),
			}},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
	if o.Node != "" {
		pod.NodeSelector = map[string]string{corev1.LabelHostname: o.Node}
	}
	if o.KeySecret != "" {
		container.Args = append(container.Args, "--api-key-file="+keysDir+"/"+o.Key)
		container.VolumeMounts = []corev1.VolumeMount{{Name: "keys", MountPath: keysDir, ReadOnly: true}}
		pod.Volumes = []corev1.Volume{{Name: "keys", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: o.KeySecret},
		}}}
	}
	pod.Containers = []corev1.Container{container}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: mockName, Namespace: namespace},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
}

// Base is the upstream's address for the gateways.
func (u *Upstream) Base() string {
	return fmt.Sprintf("http://%s.%s.svc:%d", u.service, u.namespace, mockPort)
}

// URL is the base URL of its OpenAI protocol.
func (u *Upstream) URL() string { return u.Base() + "/v1" }

// Stats are the upstream's own figures.
func (u *Upstream) Stats(ctx context.Context) (mockllm.Stats, error) {
	var stats mockllm.Stats
	err := getJSON(ctx, u.address+"/_mock/stats", &stats)
	return stats, err
}

// PodStats are the figures of each of its pods, by the pod's address.
func (c *Cluster) PodStats(ctx context.Context, u *Upstream) (map[string]mockllm.Stats, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(u.namespace), client.MatchingLabels(mockLabels())); err != nil {
		return nil, fmt.Errorf("list the upstream's pods: %w", err)
	}
	stats := make(map[string]mockllm.Stats, len(pods.Items))
	for _, pod := range pods.Items {
		var own mockllm.Stats
		if err := getJSON(ctx, mockAt(pod.Status.PodIP)+"/_mock/stats", &own); err != nil {
			return nil, err
		}
		stats[pod.Status.PodIP] = own
	}
	return stats, nil
}

// ScaleUpstream sets how many pods it has.
func (c *Cluster) ScaleUpstream(ctx context.Context, u *Upstream, pods int) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: u.namespace, Name: mockName}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, pods))
	if err := c.Patch(ctx, deployment, patch); err != nil {
		return fmt.Errorf("scale the upstream: %w", err)
	}
	_, err := Await(ctx, ReadyWithin, fmt.Sprintf("%d pods of the upstream answer", pods), func(ctx context.Context) error {
		stats, err := c.PodStats(ctx, u)
		if err == nil && len(stats) != pods {
			err = fmt.Errorf("%d pods are there", len(stats))
		}
		return err
	})
	return err
}

// quick is for questions that are answered at once.
var quick = &http.Client{Timeout: askWithin, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}

func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	res, err := quick.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}
