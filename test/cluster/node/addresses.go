package node

import "fmt"

// Everything lies in 198.18.0.0/15, which RFC 2544 sets apart for benchmarks:
// no real network that a machine is in uses it. The addresses exist in the
// cluster's network namespace only, so every cluster has the same ones.
const (
	controlPlaneIP = "198.18.255.1"
	podCIDR        = "198.18.0.0/20" // of all nodes
	serviceCIDR    = "198.19.0.0/16"
	apiserverVIP   = "198.19.0.1" // the first address of serviceCIDR is the Service kubernetes

	apiserverURL = "https://127.0.0.1:6443"
	etcdURL      = "http://127.0.0.1:2379"
	etcdPeerURL  = "http://127.0.0.1:2380"

	dnsDomain  = "cluster.local"
	pauseImage = "llmservice.internal/pause:1"
)

// MaxNodes is how many nodes a cluster may have: as many as one machine can bear, and podCIDR has room for.
const MaxNodes = 8

// number is the node's, from 1.
func (l Layout) number() int { return max(l.Node, 1) }

// Name is the node's name in the API.
func (l Layout) Name() string { return nodeName(l.number()) }

func nodeName(n int) string { return fmt.Sprintf("node%d", n) }

func (l Layout) nodeIP() string { return fmt.Sprintf("198.18.255.%d", l.number()) }

// ownPods are the addresses of the node's pods.
func (l Layout) ownPods() string { return fmt.Sprintf("198.18.%d.0/24", l.number()-1) }

// apiserverFor is the API's URL for the daemons of the node.
func (l Layout) apiserverFor() string {
	if l.isWorker() {
		return "https://" + controlPlaneIP + ":6443"
	}
	return apiserverURL
}
