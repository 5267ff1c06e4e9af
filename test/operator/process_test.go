package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/apiserver"
	"github.com/llmservice/llmservice/test/transcript"
)

// program is the manager that an image has, built once for all tests; buildDir is removed when they have run.
var (
	buildDir string
	program  = sync.OnceValues(func() (string, error) {
		var err error
		if buildDir, err = os.MkdirTemp("", "manager-"); err != nil {
			return "", fmt.Errorf("make a directory for the manager: %w", err)
		}
		file := filepath.Join(buildDir, "manager")
		command := exec.CommandContext(context.Background(), "go", "build", "-o", file, "../../cmd/manager")
		if output, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the manager: %w: %s", err, output)
		}
		return file, nil
	})
)

// claims is the namespace of the Leases that installations compete for.
const claims = "kube-system"

// process is a manager that runs as a pod's does, beside no other one.
type process struct {
	*system

	command *exec.Cmd
	// end stops it.
	end func()
	// probes, metrics, metricsAPI and webhook are the ports on loopback.
	probes, metrics, metricsAPI, webhook int

	log transcript.Buffer
}

// address is a flag's, or what stands in the chart for it, and says which port of this machine takes its place.
var address = regexp.MustCompile(`^--(health-probe-bind-address|metrics-bind-address|custom-metrics-port|webhook-port)=:?[1-9]\d*$`)

// startProcess runs the manager with flags, at ports that are free, until the test ends.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return alone(t).startProgram(file, args...)
}

// startProgram runs a manager before the system's gateways.
func (s *system) startProgram(file string, args ...string) *process {
	t := s.t
	t.Helper()
	// The installation of another row may have been of another name: its claim would hold for a while.
	if err := api.DeleteAllOf(t.Context(), &coordinationv1.Lease{}, client.InNamespace(claims)); err != nil {
		t.Fatal(err)
	}
	p := &process{system: s, probes: freePort(t), metrics: freePort(t), metricsAPI: freePort(t), webhook: freePort(t)}
	given := []string{"--kubeconfig=" + kubeconfigFile(t)}
	for _, arg := range args {
		given = append(given, p.here(arg))
	}
	p.command = exec.CommandContext(context.Background(), file, given...)
	p.command.Env = append(os.Environ(), "POD_NAMESPACE="+apiserver.Namespace, "POD_NAME=manager-0")
	p.command.Stderr = &p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = sync.OnceFunc(p.terminate)
	t.Cleanup(p.end)
	return p
}

// here is an argument with an address of this machine.
func (p *process) here(arg string) string {
	m := address.FindStringSubmatch(arg)
	if m == nil {
		return arg
	}
	at := map[string]string{
		"health-probe-bind-address": fmt.Sprintf("127.0.0.1:%d", p.probes),
		"metrics-bind-address":      fmt.Sprintf("127.0.0.1:%d", p.metrics),
		"custom-metrics-port":       strconv.Itoa(p.metricsAPI),
		"webhook-port":              strconv.Itoa(p.webhook),
	}
	return "--" + m[1] + "=" + at[m[1]]
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// terminate tells it to stop, as the kubelet does, and waits: it leaves in order.
func (p *process) terminate() {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("the manager ended with %v: %s", err, p.log.String())
	}
}

// get asks on loopback; the status is 0 if nobody listens.
func get(port int, path string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), http.NoBody)
	if err != nil {
		return 0, err.Error()
	}
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(read)
}

// awaitReady waits until both probes answer as a kubelet wants it.
func (p *process) awaitReady() {
	p.t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		eventually(p.t, path, func() error {
			status, body := get(p.probes, path)
			if status != http.StatusOK {
				return fmt.Errorf("status %d: %s; it logs %s", status, body, p.log.String())
			}
			return nil
		})
	}
}

// awaitGateway creates a service and waits for the container of its Deployment: the manager reconciles.
func (p *process) awaitGateway(changes ...func(*v1alpha1.LLMService)) corev1.Container {
	p.t.Helper()
	service := p.create("assistant", changes...)
	var deployment appsv1.Deployment
	eventually(p.t, "a Deployment", func() error {
		if !exists(p.t, client.ObjectKeyFromObject(service), &deployment) {
			return fmt.Errorf("none; it logs %s", p.log.String())
		}
		return nil
	})
	return deployment.Spec.Template.Spec.Containers[0]
}

// awaitClaim waits until a Lease says that an installation is the one.
func (p *process) awaitClaim(namespace, installation string) {
	p.t.Helper()
	eventually(p.t, "the claim of "+installation, func() error {
		var leases coordinationv1.LeaseList
		if err := api.List(p.t.Context(), &leases, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range leases.Items {
			if holder := leases.Items[i].Spec.HolderIdentity; holder != nil && strings.HasPrefix(*holder, installation) {
				return nil
			}
		}
		return fmt.Errorf("none of %d Leases", len(leases.Items))
	})
}

// The manager starts with each of its flags, becomes ready, does what the flag says, and ends in order.
func TestEachFlagOfTheManager(t *testing.T) {
	const image, probes, quiet = "--gateway-image=registry.example.com/gateway:v1", "--health-probe-bind-address=:8081", "--metrics-bind-address=0"
	with := func(args ...string) []string { return append([]string{image, probes}, args...) }
	without := func(args ...string) []string { return with(append(args, quiet, "--custom-metrics-port=0")...) }
	tests := []struct {
		flag  string
		args  []string
		check func(p *process)
	}{
		{"gateway-image", without(), func(p *process) {
			if got := p.awaitGateway().Image; got != "registry.example.com/gateway:v1" {
				p.t.Errorf("gateways run %s", got)
			}
		}},
		{"allowed-gateway-image", without("--allowed-gateway-image=mirror/team-a/*"), func(p *process) {
			const want = "mirror/team-a/gateway:v2"
			got := p.awaitGateway(func(s *v1alpha1.LLMService) { s.Spec.Runtime = &v1alpha1.Runtime{Image: want} }).Image
			if got != want {
				p.t.Errorf("gateways run %s", got)
			}
		}},
		{"allowed-upstream-host", without("--allowed-upstream-host=*.svc"), func(p *process) {
			p.awaitGateway()
			service := p.create("elsewhere", func(s *v1alpha1.LLMService) { s.Spec.Upstreams[0].Endpoints[0].URL = "https://api.example.com" })
			p.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/NotAllowed")
		}},
		{"gateway-pull-policy", without("--gateway-pull-policy=Always"), func(p *process) {
			if got := p.awaitGateway().ImagePullPolicy; got != corev1.PullAlways {
				p.t.Errorf("images are pulled %s", got)
			}
		}},
		{"gateway-image-pull-secret", without("--gateway-image-pull-secret=mirror", "--gateway-image-pull-secret=team"), func(p *process) {
			p.awaitGateway(func(s *v1alpha1.LLMService) {
				s.Spec.Runtime = &v1alpha1.Runtime{PodTemplate: &v1alpha1.JSON{Raw: []byte(`{"spec":{"imagePullSecrets":[{"name":"own"}]}}`)}}
			})
			var deployment appsv1.Deployment
			if err := api.Get(p.t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "assistant"}, &deployment); err != nil {
				p.t.Fatal(err)
			}
			want := []corev1.LocalObjectReference{{Name: "mirror"}, {Name: "team"}, {Name: "own"}}
			got := deployment.Spec.Template.Spec.ImagePullSecrets
			if len(got) != len(want) || !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) || !slices.Contains(got, want[2]) {
				p.t.Errorf("images are pulled with %v, want %v", got, want)
			}
		}},
		{"gateway-log-level", without("--gateway-log-level=debug"), func(p *process) {
			if got := p.awaitGateway().Args; !slices.Contains(got, "--log-level=debug") {
				p.t.Errorf("gateways are told %v", got)
			}
		}},
		{"gateway-allowed-address", without("--gateway-allowed-address=10.0.0.0/8", "--gateway-allowed-address=fd00::/8"), func(p *process) {
			if got := p.awaitGateway().Args; !slices.Contains(got, "--allowed-address=10.0.0.0/8") || !slices.Contains(got, "--allowed-address=fd00::/8") {
				p.t.Errorf("gateways are told %v", got)
			}
		}},
		{"gateway-denied-address", without("--gateway-denied-address=127.0.0.0/8"), func(p *process) {
			if got := p.awaitGateway().Args; !slices.Contains(got, "--denied-address=127.0.0.0/8") {
				p.t.Errorf("gateways are told %v", got)
			}
		}},
		{"gateway-https-proxy", without("--gateway-https-proxy=http://proxy:3128"), func(p *process) {
			if got := p.awaitGateway().Args; !slices.Contains(got, "--https-proxy=http://proxy:3128") {
				p.t.Errorf("gateways are told %v", got)
			}
		}},
		{"gateway-no-proxy", without("--gateway-https-proxy=http://proxy:3128", "--gateway-no-proxy=.svc,10.0.0.0/8"), func(p *process) {
			if got := p.awaitGateway().Args; !slices.Contains(got, "--no-proxy=.svc,10.0.0.0/8") {
				p.t.Errorf("gateways are told %v", got)
			}
		}},
		{"max-concurrent-rollouts", with("--max-concurrent-rollouts=3", "--metrics-bind-address=:8080", "--custom-metrics-port=0"), func(p *process) {
			p.awaitGateway()
			if _, body := get(p.metrics, "/metrics"); !strings.Contains(body, `llmservice_operator_rollouts{state="waiting"} 0`) {
				p.t.Error("there is no metric of roll-outs")
			}
		}},
		{"monitoring-namespace", without("--monitoring-namespace=prometheus"), func(p *process) {
			p.awaitGateway(networkPolicy(&v1alpha1.NetworkPolicyExposure{}))
			var policy networkingv1.NetworkPolicy
			eventually(p.t, "policy", func() error {
				return api.Get(p.t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "assistant"}, &policy)
			})
			if got := policy.Spec.Ingress[1].From[0].NamespaceSelector.MatchExpressions[0].Values; !slices.Contains(got, "prometheus") {
				p.t.Errorf("the admin port admits %v", got)
			}
		}},
		{"leader-elect", without("--leader-elect"), func(p *process) {
			p.awaitGateway()
			var lease coordinationv1.Lease
			if !exists(p.t, client.ObjectKey{Namespace: apiserver.Namespace, Name: "llmservice-manager"}, &lease) || lease.Spec.HolderIdentity == nil {
				p.t.Error("nobody holds the Lease")
			}
		}},
		{"watch-namespaces", without("--watch-namespaces=default"), func(p *process) {
			foreign := p.create("assistant")
			p.namespace = "default"
			p.t.Cleanup(func() { p.clearOf("default") })
			p.awaitGateway()
			p.namespace = foreign.Namespace
			p.isUntouched(foreign)
		}},
		{"installation", without("--leader-elect", "--installation=other"), func(p *process) {
			p.awaitGateway()
			p.awaitClaim(claims, apiserver.Namespace+"/other")
		}},
		{"claim-namespace", without("--leader-elect", "--claim-namespace="+apiserver.Namespace), func(p *process) {
			p.allow(apiserver.Namespace, leases)
			p.awaitGateway()
			p.awaitClaim(apiserver.Namespace, apiserver.Namespace+"/llmservice-manager")
		}},
		{"custom-metrics-port", with(quiet, "--custom-metrics-port=6443", "--custom-metrics-service=metrics"), func(p *process) {
			if status, body := get(p.metricsAPI, "/"); status != http.StatusBadRequest { // what a server of TLS says to plain HTTP
				p.t.Errorf("the metrics API answers %d %s", status, body)
			}
		}},
		{"custom-metrics-service", with(quiet, "--custom-metrics-port=6443", "--custom-metrics-service=metrics"), func(p *process) {
			service := p.create("scaled", scaling(inFlight))
			p.awaitCondition(service, v1alpha1.ConditionScaling, "Unknown/Progressing") // not MetricsAPIUnavailable
		}},
		{"webhook-port", without("--webhook-port=9443", "--webhook-service=llmservice-webhook"), func(p *process) {
			if status, body := get(p.webhook, "/"); status != http.StatusBadRequest { // what a server of TLS says to plain HTTP
				p.t.Errorf("the webhook answers %d %s", status, body)
			}
		}},
		{"webhook-service", without("--webhook-port=9443", "--webhook-service=llmservice-webhook"), func(p *process) {
			p.configureWebhook(apiserver.Namespace, admissionregistrationv1.Fail, p.webhook)
			p.awaitRefusal()
		}},
		{"metrics-bind-address", with("--metrics-bind-address=:8080", "--custom-metrics-port=0"), func(p *process) {
			if status, body := get(p.metrics, "/metrics"); status != http.StatusOK || !strings.Contains(body, "controller_runtime") {
				p.t.Errorf("/metrics answers %d %s", status, body)
			}
		}},
		{"secure-metrics", with("--metrics-bind-address=:8080", "--custom-metrics-port=0", "--secure-metrics"), func(p *process) {
			eventually(p.t, "/metrics", func() error { // its key takes a while to make
				if status, body := get(p.metrics, "/metrics"); status != http.StatusBadRequest { // what a server of TLS says to plain HTTP
					return fmt.Errorf("it answers %d %s", status, body)
				}
				return nil
			})
		}},
		{"health-probe-bind-address", without(), func(p *process) {
			if status, body := get(p.metrics, "/metrics"); status != 0 {
				p.t.Errorf("with %s, /metrics answers %d %s", quiet, status, body)
			}
		}},
		{"kubeconfig", without(), func(p *process) { p.awaitGateway() }},
		{"log-level", without("--log-level=debug"), func(p *process) {
			p.awaitGateway()
			if !strings.Contains(p.log.String(), `"level":"DEBUG"`) {
				p.t.Errorf("it logs %s", p.log.String())
			}
		}},
	}
	var rows []string
	for _, tt := range tests {
		rows = append(rows, tt.flag)
		t.Run(tt.flag, func(t *testing.T) {
			p := startProcess(t, tt.args...)
			if slices.Contains(tt.args, "--custom-metrics-port=6443") {
				p.register(apiserver.Namespace, "metrics", int32(p.metricsAPI))
			}
			p.awaitReady()
			tt.check(p)
		})
	}
	for _, flag := range flagsOf(t) {
		if !slices.Contains(rows, flag) {
			t.Errorf("--%s has no row: nobody has started a manager with it", flag)
		}
	}
}

var usage = regexp.MustCompile(`(?m)^  -([a-z-]+)`)

// flagsOf are the manager's, as it lists them itself.
func flagsOf(t *testing.T) []string {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), file, "--help").CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var flags []string
	for _, m := range usage.FindAllStringSubmatch(string(output), -1) {
		flags = append(flags, m[1])
	}
	if len(flags) < 10 {
		t.Fatalf("it lists %v: %s", flags, output)
	}
	return flags
}
