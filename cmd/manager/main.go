// Command manager is the operator: it turns LLMServices into autoscaled gateways.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/cmd/internal/signals"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/egress"
)

const (
	// These are set from the pod's own metadata.
	namespaceVariable, podVariable = "POD_NAMESPACE", "POD_NAME"
	// memoryVariable is the container's memory limit in bytes.
	memoryVariable = "MEMORY_LIMIT"
	// The API server shares itself out among its clients; these only bound what a mistake of ours can do.
	clientQPS, clientBurst = 500, 1000
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

type flags struct {
	probeAddress, metricsAddress string
	secureMetrics, leaderElect   bool
	customMetricsPort            int
	customMetricsService         string
	webhookPort                  int
	webhookService               string
	installation, claimNamespace string
	kubeconfig, namespace        string
	watched                      []string
	level                        slog.Level
	maxConcurrentRollouts        int
	gateway                      render.GatewaySettings
}

func parse(args []string) (*flags, error) {
	f := &flags{namespace: os.Getenv(namespaceVariable)}
	f.gateway.OperatorNamespace = f.namespace
	set := flag.NewFlagSet("manager", flag.ContinueOnError)
	set.StringVar(&f.gateway.Image, "gateway-image", "", "image of the gateways if their service names none (required)")
	set.Func("allowed-gateway-image", "repository from which a service may name an image, in addition to that of --gateway-image; "+
		"PREFIX/* for all repositories below it; can be repeated", f.allowImage)
	set.StringVar((*string)(&f.gateway.PullPolicy), "gateway-pull-policy", "",
		"when nodes pull the gateway image: Always, IfNotPresent or Never; empty for Kubernetes' default")
	set.Func("gateway-image-pull-secret", "name of a Secret in the namespace of each service, with which nodes pull "+
		"images of gateways; can be repeated", f.addPullSecret)
	set.StringVar(&f.gateway.LogLevel, "gateway-log-level", "", "lowest level that gateways log; empty for their default")
	set.Var(&f.gateway.AllowedHosts, "allowed-upstream-host", "one of the hosts that upstreams may have; "+
		"*.DOMAIN for all names below a domain; can be repeated")
	set.Var(&f.gateway.Addresses.Allowed, "gateway-allowed-address", "one of the networks that upstreams may be in; can be repeated")
	set.Var(&f.gateway.Addresses.Denied, "gateway-denied-address", "network that upstreams must not be in; can be repeated")
	set.TextVar(&f.gateway.Proxy.Server, "gateway-https-proxy", egress.Server(""),
		"forward proxy through which gateways reach upstreams over https, http://HOST:PORT; empty for none")
	set.TextVar(&f.gateway.Proxy.Except, "gateway-no-proxy", egress.Exceptions(""),
		"hosts that gateways reach without the proxy, as in NO_PROXY")
	set.Func("monitoring-namespace", "namespace of Prometheus, which NetworkPolicies admit to the metrics of gateways; "+
		"can be repeated", f.addMonitoring)
	set.IntVar(&f.maxConcurrentRollouts, "max-concurrent-rollouts", 10,
		"number of LLMServices whose pods are replaced at a time because of an upgrade of the operator or a change of its flags; "+
			"0 for all at once")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 to turn it off")
	set.BoolVar(&f.secureMetrics, "secure-metrics", false,
		"serve /metrics over TLS, and only to clients whose token the API server knows and who may get /metrics")
	set.BoolVar(&f.leaderElect, "leader-elect", false, "elect one of several managers to reconcile; needs "+namespaceVariable)
	set.Func("watch-namespaces", "namespaces whose services are reconciled, separated by commas; empty for all", f.watch)
	set.StringVar(&f.installation, "installation", "llmservice-manager", "with "+namespaceVariable+
		", the name of this installation; of several installations, only the first one reconciles a namespace")
	set.StringVar(&f.claimNamespace, "claim-namespace", "kube-system",
		"namespace of the Leases for which installations compete with --leader-elect")
	set.IntVar(&f.customMetricsPort, "custom-metrics-port", 6443, "port of custom.metrics.k8s.io; 0 to turn it off")
	set.StringVar(&f.customMetricsService, "custom-metrics-service", "", "Service in "+namespaceVariable+" in front of that port")
	set.IntVar(&f.webhookPort, "webhook-port", 0,
		"port of the webhook that checks LLMServices before they are stored; 0 to turn it off")
	set.StringVar(&f.webhookService, "webhook-service", "",
		"Service in "+namespaceVariable+" in front of that port, and the ValidatingWebhookConfiguration of the same name")
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the API server; empty inside a cluster")
	set.TextVar(&f.level, "log-level", slog.LevelInfo, "lowest level that is logged: debug, info, warn or error")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	return f, f.check(set.Args())
}

func (f *flags) allowImage(repository string) error {
	name, _ := strings.CutSuffix(repository, "/*")
	if name == "" || strings.ContainsAny(name, "*@ ") || render.Repository(name) != name {
		return errors.New("want a repository without tag and digest, or PREFIX/*")
	}
	f.gateway.AllowedImages = append(f.gateway.AllowedImages, repository)
	return nil
}

// watch keeps the namespaces in the order in which all installations claim them.
func (f *flags) watch(list string) error {
	f.watched = nil
	for namespace := range strings.SplitSeq(list, ",") {
		if namespace = strings.TrimSpace(namespace); namespace == "" && strings.TrimSpace(list) == "" {
			return nil
		}
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return fmt.Errorf("%q is not the name of a namespace: %s", namespace, strings.Join(problems, "; "))
		}
		f.watched = append(f.watched, namespace)
	}
	slices.Sort(f.watched)
	f.watched = slices.Compact(f.watched)
	return nil
}

func (f *flags) addMonitoring(namespace string) error {
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	f.gateway.MonitoringNamespaces = append(f.gateway.MonitoringNamespaces, namespace)
	return nil
}

func (f *flags) addPullSecret(name string) error {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	f.gateway.PullSecrets = append(f.gateway.PullSecrets, name)
	return nil
}

func (f *flags) check(rest []string) error {
	served := errors.Join(
		checkServed("custom-metrics", f.customMetricsPort, f.customMetricsService),
		checkServed("webhook", f.webhookPort, f.webhookService))
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case f.gateway.Image == "":
		return errors.New("--gateway-image is required")
	case !image.MatchString(f.gateway.Image):
		return fmt.Errorf("--gateway-image is %q, want a name with a tag, a digest or both", f.gateway.Image)
	case served != nil:
		return served
	case f.maxConcurrentRollouts < 0:
		return fmt.Errorf("--max-concurrent-rollouts is %d, want 0 or more", f.maxConcurrentRollouts)
	case f.leaderElect && (f.installation == "" || f.claimNamespace == ""):
		return errors.New("--installation and --claim-namespace are required with --leader-elect")
	case f.namespace == "" && (f.leaderElect || f.customMetricsPort > 0 || f.webhookPort > 0):
		const when = "--leader-elect, and with --custom-metrics-port or --webhook-port other than 0"
		return fmt.Errorf("%s is required with %s", namespaceVariable, when)
	}
	return f.checkGateway()
}

// checkServed checks the flags of what is served at a port behind a Service.
func checkServed(what string, port int, service string) error {
	switch {
	case port < 0 || port > 65535:
		return fmt.Errorf("--%s-port is %d, want 0 to 65535", what, port)
	case port > 0 && service == "":
		return fmt.Errorf("--%[1]s-service is required with --%[1]s-port other than 0", what)
	}
	return nil
}

// image is what nodes can pull. Every gateway would fail with another one.
var image = regexp.MustCompile(v1alpha1.ImagePattern)

// checkGateway refuses what would keep every gateway from starting.
func (f *flags) checkGateway() error {
	if level := f.gateway.LogLevel; level != "" {
		if err := new(slog.Level).UnmarshalText([]byte(level)); err != nil {
			return fmt.Errorf("--gateway-log-level is %q, want debug, info, warn or error", level)
		}
	}
	switch f.gateway.PullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
		return nil
	default:
		return fmt.Errorf("--gateway-pull-policy is %q, want Always, IfNotPresent or Never", f.gateway.PullPolicy)
	}
}

func run(args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: f.level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	limitMemory(os.Getenv(memoryVariable))
	config, err := restConfig(f.kubeconfig)
	if err != nil {
		return err
	}
	ctx, stop := signals.Context(context.Background())
	defer stop()
	options, err := f.options(ctx, logger)
	if err != nil {
		return err
	}
	manager, err := controllers.NewManager(config, options)
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// limitMemory makes the garbage collector work harder before the kernel's limit, in bytes, is reached: a manager that is killed
// takes the metrics API with it. GOMEMLIMIT takes precedence.
func limitMemory(bytes string) {
	limit, err := strconv.ParseInt(bytes, 10, 64)
	if err == nil && limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	load := rest.InClusterConfig
	if kubeconfig != "" {
		load = func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", kubeconfig) }
	}
	config, err := load()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	config.UserAgent = controllers.FieldOwner
	return config, nil
}

func (f *flags) options(ctx context.Context, logger logr.Logger) (controllers.Options, error) {
	options := controllers.Options{
		Gateway:        f.gateway,
		ProbeAddress:   f.probeAddress,
		MetricsAddress: f.metricsAddress,
		SecureMetrics:  f.secureMetrics,
		LeaderElection: f.leaderElect,
		Namespace:      f.namespace,
		Namespaces:     f.watched,
		Installation:   f.namespace + "/" + f.installation,
		ClaimNamespace: f.claimNamespace,
		PodAddress:     load.PodAddress,
		Logger:         logger,

		MaxConcurrentRollouts: f.maxConcurrentRollouts,
	}
	if f.webhookPort > 0 {
		options.Webhook = &controllers.Webhook{
			Port:    f.webhookPort,
			Service: types.NamespacedName{Namespace: f.namespace, Name: f.webhookService},
			Replica: os.Getenv(podVariable),
		}
	}
	if f.customMetricsPort == 0 {
		return options, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf(":%d", f.customMetricsPort))
	if err != nil {
		return options, fmt.Errorf("listen for the metrics API: %w", err)
	}
	options.CustomMetrics = &controllers.CustomMetrics{
		Listener:   listener,
		Service:    types.NamespacedName{Namespace: f.namespace, Name: f.customMetricsService},
		Replica:    os.Getenv(podVariable),
		Kubeconfig: f.kubeconfig,
	}
	return options, nil
}
