// Package build turns the modules pinned in ../kubernetes/go.mod into the
// static binaries that a local cluster runs, once per version.
package build

import (
	"fmt"
	"slices"
	"strings"
)

// KubernetesVersion names the directory that the binaries are kept in. A test
// holds it to the version of k8s.io/kubernetes in ../kubernetes/go.mod.
const KubernetesVersion = "1.37.2"

// Program is one executable of the cluster.
type Program struct {
	Name string
	// Package is what `go build` gets, inside the module of the pins.
	Package string
	// Module is the pinned module that the binary must have been built from;
	// empty for code of our own.
	Module string
}

// AssetNames are the programs that envtest looks for in KUBEBUILDER_ASSETS.
var AssetNames = []string{"etcd", "kube-apiserver", "kubectl"}

// Programs lists everything a cluster is made of, in the order of building:
// what API tests need stands first.
func Programs() []Program {
	const (
		etcd       = "go.etcd.io/etcd/server/v3"
		kubernetes = "k8s.io/kubernetes"
		metrics    = "sigs.k8s.io/metrics-server"
		helm       = "helm.sh/helm/v4"
	)
	programs := []Program{{Name: "etcd", Package: etcd, Module: etcd}}
	for _, name := range []string{
		"kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
	} {
		programs = append(programs, Program{Name: name, Package: kubernetes + "/cmd/" + name, Module: kubernetes})
	}
	return append(programs,
		Program{Name: "metrics-server", Package: metrics + "/cmd/metrics-server", Module: metrics},
		Program{Name: "coredns", Package: "./coredns", Module: "github.com/coredns/coredns"},
		Program{Name: "helm", Package: helm + "/cmd/helm", Module: helm},
		Program{Name: "pause", Package: "./pause"},
	)
}

// Select returns the named programs in the order of Programs, or all of them
// when no name is given. A name that is no program is an error that lists the
// programs there are.
func Select(names []string) ([]Program, error) {
	all := Programs()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, p := range all {
		known = append(known, p.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("--only: no program %q; allowed: %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(p Program) bool { return !slices.Contains(names, p.Name) }), nil
}
