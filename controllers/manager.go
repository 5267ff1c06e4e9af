package controllers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/metricsapi"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/controllers/servingcert"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=system,verbs=get;create;update
// The leader emits an event when it is elected.
// +kubebuilder:rbac:groups="",resources=events,namespace=system,verbs=create;patch
// An event about two installations is one of the manager's Deployment. A certificate is dropped if its pod is gone.
// +kubebuilder:rbac:groups=apps,resources=deployments,namespace=system,verbs=get
// +kubebuilder:rbac:groups="",resources=pods,namespace=system,verbs=get

// Other Leases, of another namespace, are what installations compete for (see controllers/claim).
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=kube-system,verbs=create;list
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=kube-system,resourceNames=llmservice-operator,verbs=get;update

// leaseName is the Lease that managers compete for.
const leaseName = "llmservice-manager"

// cacheSyncTimeout is how long a manager tries to read what it reconciles before it ends.
const cacheSyncTimeout = 24 * time.Hour

// A leader that was killed is followed by another within leaseDuration and two of its tries, one that finds the last renewal
// and one that finds the lease at its end: less than 10 s. A leader gives up first, renewDeadline after it last reached the
// API server.
const (
	leaseDuration = 6 * time.Second
	renewDeadline = 4 * time.Second
	retryPeriod   = 500 * time.Millisecond
)

// Options configure a manager.
type Options struct {
	// Gateway is what every gateway runs.
	Gateway render.GatewaySettings
	// Children is the table of what services have; nil, as everywhere but in tests, is render.Kinds.
	Children render.Table
	// ProbeAddress and MetricsAddress are where to listen; "0" for not at all.
	ProbeAddress, MetricsAddress string
	// SecureMetrics serves the metrics over TLS, and only to clients whom the API server knows by their token and lets get /metrics.
	SecureMetrics bool
	// LeaderElection lets several replicas run, of which one reconciles. Their Lease is in Namespace.
	LeaderElection bool
	Namespace      string
	// Namespaces are those whose services the manager reconciles, and of which it reads anything; none for all.
	Namespaces []string
	// Installation identifies this installation among those in the cluster, of which one reconciles a namespace: NAMESPACE/NAME. It
	// needs LeaderElection. Their Leases are in ClaimNamespace, the same for all of them.
	Installation, ClaimNamespace string
	// ClaimExpiry is the silence after which another installation takes over; zero, as everywhere but in tests, is claim.Expiry.
	ClaimExpiry time.Duration
	// MaxConcurrentRollouts is how many services' pods are replaced at a time because the operator wants it; 0 for all at once.
	MaxConcurrentRollouts int
	// CustomMetrics serves the metrics API; nil for not at all.
	CustomMetrics *CustomMetrics
	// Webhook has LLMServices checked before they are stored; nil for not at all.
	Webhook *Webhook
	// PodAddress is where a pod's admin listener is; load.PodAddress, except in tests.
	PodAddress func(*corev1.Pod) string
	Logger     logr.Logger
	// Now is the reconciler's clock; nil is time.Now.
	Now func() time.Time
	// ConfigPause is the least time between two configs of a service; zero, as everywhere but in tests, is 1.25 s.
	ConfigPause time.Duration
}

// CustomMetrics says where the metrics API is served.
type CustomMetrics struct {
	// Listener is closed by the server.
	Listener net.Listener
	// Service is the one that leads to the managers, and that the APIServices name.
	Service types.NamespacedName
	// Replica is the name of this manager's pod, in the namespace of the Service; empty if it is not known.
	Replica string
	// Kubeconfig is the kubeconfig of the API server; empty inside a cluster.
	Kubeconfig string
}

// NewManager composes the operator: the reconciler, which runs where this manager leads, and the poller, the metrics API and
// the webhook, which run in every replica.
func NewManager(config *rest.Config, options Options) (ctrl.Manager, error) {
	manager, err := newManager(config, options)
	if err != nil {
		return nil, err
	}
	tracker := load.NewTracker(GatewayPods(), manager.Elected())
	poller := load.NewPoller(tracker, manager.GetCache(), options.PodAddress)
	if options.Children == nil {
		options.Children = render.Kinds()
	}
	if err := manager.Add(poller); err != nil {
		return nil, fmt.Errorf("add the poller: %w", err)
	}
	reconciler := &Reconciler{
		Client:      manager.GetClient(),
		Uncached:    manager.GetAPIReader(),
		Load:        tracker.LoadOf,
		Gateway:     options.Gateway,
		Children:    options.Children,
		Namespaces:  options.Namespaces,
		Events:      manager.GetEventRecorder(FieldOwner),
		Now:         time.Now,
		ConfigPause: options.ConfigPause,
	}
	if options.Now != nil {
		reconciler.Now = options.Now
	}
	reconciler.rollouts = newRollouts(options.MaxConcurrentRollouts, tracker.LoadOf, reconciler.Now)
	if options.CustomMetrics != nil {
		publisher, err := addMetricsAPI(manager, tracker, options)
		if err != nil {
			return nil, err
		}
		reconciler.MetricsAPI = publisher.Registered
	}
	if options.Webhook != nil {
		if err := addWebhook(manager, newSpecCheck(options.Gateway, options.Children).check, options.Webhook); err != nil {
			return nil, err
		}
	}
	return manager, reconciler.SetupWithManager(manager, tracker, poller)
}

func newManager(config *rest.Config, options Options) (ctrl.Manager, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	election, err := newElection(config, scheme, options)
	if err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(config, settings(options, scheme, election.lock))
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	election.events.from(manager)
	// Both from the first: a path without a check is answered 404, and the pod would never be ready.
	err = errors.Join(
		manager.AddHealthzCheck("ping", healthz.Ping), manager.AddReadyzCheck("ping", healthz.Ping), election.addTo(manager))
	if err != nil {
		return nil, fmt.Errorf("set up probes: %w", err)
	}
	return manager, nil
}

// settings are those of the manager that controller-runtime makes.
func settings(options Options, scheme *runtime.Scheme, lock resourcelock.Interface) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme,
		Cache:  CacheOptions(options.Namespaces),
		// Optional kinds have no Go types.
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Logger: options.Logger,
		// Tests run one operator after another in one process.
		Controller: ctrlconfig.Controller{
			SkipNameValidation: new(true),
			// A kind that cannot be read keeps this manager from reconciling, and not from serving the metrics API.
			CacheSyncTimeout: cacheSyncTimeout,
		},
		HealthProbeBindAddress:              options.ProbeAddress,
		Metrics:                             metricsOptions(options),
		LeaderElection:                      options.LeaderElection,
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       new(leaseDuration),
		RenewDeadline:                       new(renewDeadline),
		RetryPeriod:                         new(retryPeriod),
	}
}

// metricsOptions has the metrics served under a certificate that the manager makes. Connections are of HTTP/1.1, which has one
// request at a time.
func metricsOptions(options Options) metricsserver.Options {
	served := metricsserver.Options{BindAddress: options.MetricsAddress}
	if options.SecureMetrics {
		served.SecureServing, served.FilterProvider = true, filters.WithAuthenticationAndAuthorization
		served.TLSOpts = []func(*tls.Config){func(config *tls.Config) {
			config.MinVersion, config.NextProtos = tls.VersionTLS12, []string{"http/1.1"}
		}}
	}
	return served
}

func addMetricsAPI(manager ctrl.Manager, tracker *load.Tracker, of Options) (*servingcert.Publisher, error) {
	options := of.CustomMetrics
	client := servingcert.APIClient{Reader: manager.GetAPIReader(), Writer: manager.GetClient()}
	registrations := servingcert.APIServices(metricsapi.APIServices())
	publisher, err := servingcert.NewPublisher(client, options.Replica, options.Service, registrations)
	if err != nil {
		return nil, err
	}
	server := &metricsapi.Server{
		Provider:    &metricsapi.Provider{Services: manager.GetClient(), Namespaces: of.Namespaces, Load: tracker.LoadOf},
		Listener:    options.Listener,
		Certificate: publisher.Certificate(),
		Kubeconfig:  options.Kubeconfig,
	}
	if err := manager.Add(publisher); err != nil {
		return nil, fmt.Errorf("add the certificate's publisher: %w", err)
	}
	if err := manager.Add(server); err != nil {
		return nil, fmt.Errorf("add the metrics API: %w", err)
	}
	if err := manager.AddReadyzCheck("serving-certificate", publisher.Ready); err != nil {
		return nil, fmt.Errorf("set up probes: %w", err)
	}
	return publisher, nil
}
