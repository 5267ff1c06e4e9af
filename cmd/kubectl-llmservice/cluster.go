package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// queries bounds the requests a second to the API server: logs makes one for each replica.
const queries = 100

// cluster is which API server and namespace to talk about, as kubectl's flags have it.
type cluster struct {
	kubeconfig, context, namespace string
	// explicit says that the namespace is that of the flag.
	explicit bool
}

func (c *cluster) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&c.namespace, "namespace", "n", "", "namespace of the LLMService; by default, that of the context")
	flags.StringVar(&c.context, "context", "", "context of the kubeconfig; by default, the current one")
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "path of the kubeconfig; by default, $KUBECONFIG or ~/.kube/config")
}

// connect fills in the namespace.
func (c *cluster) connect() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	settings, err := config.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	c.explicit = c.namespace != ""
	if !c.explicit {
		if c.namespace, _, err = config.Namespace(); err != nil {
			return nil, fmt.Errorf("read the kubeconfig: %w", err)
		}
	}
	settings.QPS, settings.Burst = queries, queries
	return settings, nil
}
