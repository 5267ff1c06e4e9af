package scenario

import (
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Cluster is the Kubernetes that the scenario plays on.
type Cluster struct {
	client.Client

	// core reads logs, which the other client cannot.
	core kubernetes.Interface
	// Root is the directory of the project's files.
	Root string
	// Images are those that the cluster can run.
	Images Images
}

// Images are references of images, and the sizes of those that are delivered, in bytes.
type Images struct {
	GatewayBytes int64 `json:"gatewayBytes"`
	ManagerBytes int64 `json:"managerBytes"`

	Gateway string `json:"gateway"`
	// Next is the gateway again under another name: an image to change to.
	Next    string       `json:"next"`
	Manager string       `json:"manager"`
	Mock    string       `json:"mock"`
	Older   OlderRelease `json:"older"`
}

// OlderRelease has the images of a release, from which upgrades start.
type OlderRelease struct {
	// Dir is where the project keeps what is recorded of it, below the root.
	Dir     string `json:"dir"`
	Gateway string `json:"gateway"`
	Manager string `json:"manager"`
	// Lacks says why it could not be built; it is empty if it was.
	Lacks string `json:"lacks,omitempty"`
}

// CheckSizes failsif an image is larger than it may be.
func (i Images) CheckSizes() error {
	if i.GatewayBytes >= MaxGatewayBytes || i.ManagerBytes >= MaxManagerBytes {
		return fmt.Errorf("an image is too large: the gateway's has %d bytes, want less than %d; the operator's %d, want less than %d",
			i.GatewayBytes, MaxGatewayBytes, i.ManagerBytes, MaxManagerBytes)
	}
	return nil
}

// Connect returns the cluster that the environment variable KUBECONFIG names.
func Connect(root string, images Images) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	// Tests ask often and at once; the server has its own fairness.
	config.QPS, config.Burst = -1, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Cluster{Client: c, core: core, Root: root, Images: images}, nil
}

// Discover fails if the API server cannot say what one of its APIs offers.
func (c *Cluster) Discover() error {
	_, err := discovery.ServerPreferredNamespacedResources(c.core.Discovery())
	return err
}
