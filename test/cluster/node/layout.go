// Package node is a machine of the cluster: where its files are, what its
// daemons are told, and when it counts as up. The first one has the control
// plane; the others are workers, in namespaces of their own below it.
package node

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Layout says where one cluster, or one of its workers, lives. Two clusters
// differ in State and Netns.
type Layout struct {
	State string // directory of all files that the cluster writes
	Netns string // name of its network namespace
	Bin   string // directory of the binaries that package build made
	Nodes int    // how many nodes the cluster has; 0 is 1
	Node  int    // which of them this is the layout of, from 1; 0 is 1
}

// Workers are the layouts of the nodes but the first.
func (l Layout) Workers() []Layout {
	var workers []Layout
	for n := 2; n <= l.Nodes; n++ {
		workers = append(workers, Layout{State: l.path(nodeName(n)), Netns: l.Netns, Bin: l.Bin, Node: n})
	}
	return workers
}

func (l Layout) isWorker() bool { return l.Node > 1 }

// cluster is the directory of what the nodes share.
func (l Layout) cluster() string {
	if l.isWorker() {
		return filepath.Dir(l.State)
	}
	return l.State
}

// maxStatePath leaves room for the longest socket path below it: a Unix socket's
// address has 108 bytes (unix(7)).
const maxStatePath = 60

// hidden are the directories that the daemons see a private copy of, so that
// what they write there at fixed paths neither stays behind nor collides with
// another cluster or a containerd of the machine's own.
var hidden = []string{"/run", "/var/lib", "/var/log"}

var netnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Validate checks what flags and environment may have set.
func (l Layout) Validate() error {
	if !filepath.IsAbs(l.State) || filepath.Clean(l.State) != l.State || l.State == "/" {
		return fmt.Errorf("--state %q: want a clean absolute path of a directory of its own", l.State)
	}
	if len(l.State) > maxStatePath {
		return fmt.Errorf("--state %q: %d bytes; at most %d, since sockets live below it",
			l.State, len(l.State), maxStatePath)
	}
	for _, dir := range append([]string{"/proc", "/sys", "/dev", "/var/run"}, hidden...) {
		if l.State == dir || strings.HasPrefix(l.State, dir+"/") {
			return fmt.Errorf("--state %q: not below %s, which the daemons see differently", l.State, dir)
		}
	}
	if l.Nodes < 0 || l.Nodes > MaxNodes {
		return fmt.Errorf("--nodes %d: want from 1 to %d", l.Nodes, MaxNodes)
	}
	if !netnsName.MatchString(l.Netns) {
		return fmt.Errorf("--netns %q: want at most 32 of a-z, 0-9 and -, not - at either end", l.Netns)
	}
	return nil
}

func (l Layout) path(elem ...string) string {
	return filepath.Join(append([]string{l.State}, elem...)...)
}

// Kubeconfig is the administrator's, with its certificates inside.
func (l Layout) Kubeconfig() string { return l.path("kubeconfig") }

// Containerd is the socket that images are loaded through.
func (l Layout) Containerd() string { return l.path("containerd.sock") }

// Status is the file that the supervisor reports in.
func (l Layout) Status() string { return l.path("status.json") }

// Logs is the directory of the daemons' logs.
func (l Layout) Logs() string { return l.path("logs") }

// Cgroup is the control group, in every hierarchy, that holds the pods. A
// worker's is below the first node's, and goes with it.
func (l Layout) Cgroup() string {
	group := "llmservice-k8s-" + l.Netns
	if l.isWorker() {
		group += "/" + l.Name()
	}
	return group
}

// Environment is the daemons' whole environment: nothing of the caller's, such
// as a proxy or a KUBECONFIG, may steer them.
func (l Layout) Environment() []string {
	return []string{
		"PATH=" + l.visibleBin() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + l.State,
		"TMPDIR=" + l.path("tmp"),
	}
}

// visibleBin is where the daemons find Bin: it may lie in a hidden directory.
func (l Layout) visibleBin() string { return filepath.Join(l.cluster(), "bin") }

// clientCA is the certificate by which daemons know the API's clients.
func (l Layout) clientCA() string { return filepath.Join(l.cluster(), "pki", "ca.crt") }
