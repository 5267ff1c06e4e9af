package node

// Everything lies in 198.18.0.0/15, which RFC 2544 sets apart for benchmarks:
// no real network that a machine is in uses it. The addresses exist in the
// cluster's network namespace only, so every cluster has the same ones.
const (
	nodeIP       = "198.18.255.1"
	podCIDR      = "198.18.0.0/24"
	serviceCIDR  = "198.19.0.0/16"
	apiserverVIP = "198.19.0.1" // the first address of serviceCIDR is the Service kubernetes

	apiserverURL = "https://127.0.0.1:6443"
	etcdURL      = "http://127.0.0.1:2379"
	etcdPeerURL  = "http://127.0.0.1:2380"

	nodeName   = "node1"
	dnsDomain  = "cluster.local"
	pauseImage = "llmservice.internal/pause:1"
)
