package main

import (
	"cmp"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/test/cluster/build"
	"github.com/llmservice/llmservice/test/cluster/node"
)

// The environment that stands in for flags.
const (
	// existingEnv is not KUBECONFIG, which may name somebody's production.
	existingEnv = "LLMSERVICE_KUBECONFIG"
	assetsEnv   = "KUBEBUILDER_ASSETS"
	stateEnv    = "LLMSERVICE_CLUSTER_STATE"
	netnsEnv    = "LLMSERVICE_CLUSTER_NETNS"
	binEnv      = "LLMSERVICE_CLUSTER_BIN"
	nodesEnv    = "LLMSERVICE_CLUSTER_NODES"
)

// settings are what all subcommands share.
type settings struct {
	layout node.Layout
	// existing is the kubeconfig of a cluster to use instead of one of our own.
	existing string
	out      *log.Logger
}

const rootHelp = `A real Kubernetes on this machine, in a network namespace of its own.

Environment:
  ` + existingEnv + `     kubeconfig of an existing cluster to use instead
  ` + assetsEnv + `        directory with etcd, kube-apiserver and kubectl for API tests
  ` + stateEnv + `, ` + netnsEnv + `, ` + binEnv + `, ` + nodesEnv + `
                            defaults of --state, --netns, --bin and --nodes`

func newRoot() *cobra.Command {
	s := &settings{existing: os.Getenv(existingEnv)}
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "Run a real Kubernetes on this machine",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	bin, err := build.DefaultDir()
	nodes, unreadable := strconv.Atoi(cmp.Or(os.Getenv(nodesEnv), "1"))
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if unreadable != nil && !cmd.Flags().Changed("nodes") {
			return fmt.Errorf("%s: %w", nodesEnv, unreadable)
		}
		if s.layout.Bin == "" {
			return err
		}
		return nil
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.layout.State, "state", cmp.Or(os.Getenv(stateEnv), "/tmp/llmservice-k8s"),
		"directory of everything that the cluster writes")
	flags.StringVar(&s.layout.Netns, "netns", cmp.Or(os.Getenv(netnsEnv), "llmservice"),
		"name of the cluster's network namespace")
	flags.StringVar(&s.layout.Bin, "bin", cmp.Or(os.Getenv(binEnv), bin),
		"directory of the cluster's binaries")
	flags.IntVar(&s.layout.Nodes, "nodes", nodes, fmt.Sprintf("how many nodes a new cluster has, at most %d", node.MaxNodes))
	// Each subcommand's log, results aside, goes to stderr.
	s.out = log.New(os.Stderr, "", 0)
	root.AddCommand(
		newDeps(s), newBuild(s), newUp(s), newDown(s), newStopNode(s), newExec(s),
		newImage(), newLoad(s), newKubeconfig(s), newAssets(s), newSupervise(s),
	)
	return root
}
