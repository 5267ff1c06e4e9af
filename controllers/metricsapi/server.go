package metricsapi

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd/options"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

// requestTimeout bounds the answer to a question, which is in memory, and with it how long the server waits for its connections
// when it has to stop. The library's own minute is longer than the manager's grace period: if the API server connected
// at that moment, the manager ended with an error half a minute later.
const requestTimeout = 10 * time.Second

// Server serves the metrics over TLS. The API server in front of it identifies the client (delegated authentication), and
// decides whether the client may read them (delegated authorization).
type Server struct {
	// Provider answers the questions.
	Provider provider.CustomMetricsProvider
	// Listener is where to serve; the server closes it.
	Listener net.Listener
	// Certificate is what to serve with.
	Certificate dynamiccertificates.CertKeyContentProvider
	// Kubeconfig is the kubeconfig of the API server; empty inside a cluster.
	Kubeconfig string
}

// NeedLeaderElection says that every manager replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends and open requests are answered.
func (s *Server) Start(ctx context.Context) error {
	server, err := s.build()
	if err != nil {
		return fmt.Errorf("metrics API: %w", err)
	}
	if err := server.GenericAPIServer.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serve metrics API: %w", err)
	}
	return nil
}

func (s *Server) build() (*apiserver.CustomMetricsAdapterServer, error) {
	adapter := &cmd.AdapterBase{
		CustomMetricsAdapterServerOptions: s.options(),
		Name:                              "llmservice-metrics",
		RemoteKubeConfigFile:              s.Kubeconfig,
		// The adapter's flags are not the manager's.
		FlagSet: pflag.NewFlagSet("metrics-api", pflag.ContinueOnError),
	}
	adapter.WithCustomMetrics(s.Provider)
	serving, err := adapter.Config()
	if err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	serving.GenericConfig.SecureServing.Cert = s.Certificate
	serving.GenericConfig.RequestTimeout = requestTimeout
	server, err := adapter.Server()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	return server, nil
}

func (s *Server) options() *options.CustomMetricsAdapterServerOptions {
	o := options.NewCustomMetricsAdapterServerOptions()
	o.SecureServing.Listener = s.Listener
	// The certificate that the library makes is replaced: it must not go to disk.
	o.SecureServing.ServerCert.CertDirectory = ""
	o.SecureServing.ServerCert.PairName = ""
	o.Authentication.RemoteKubeConfigFile = s.Kubeconfig
	o.Authorization.RemoteKubeConfigFile = s.Kubeconfig
	o.Features.EnableProfiling = false
	return o
}
