package local

import (
	"context"
	"errors"
	"log"
	"os"
	"os/exec"
	"slices"

	"github.com/llmservice/llmservice/test/cluster/deps"
	"github.com/llmservice/llmservice/test/cluster/netns"
	"github.com/llmservice/llmservice/test/cluster/node"
	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// Exec runs a command inside the cluster's network namespace, with the
// binaries first in PATH and KUBECONFIG set, and returns its exit code.
// Daemons that have died before or during the command are reported to out.
func Exec(ctx context.Context, l node.Layout, command []string, out *log.Logger) (int, error) {
	if _, err := present(l); err != nil {
		return 0, err
	}
	reported := reportDeaths(l, nil, out)
	code, err := Run(ctx, command, Environment(l.Kubeconfig(), l.Bin), func(cmd *exec.Cmd) error {
		return netns.Start(l.Netns, cmd)
	})
	reportDeaths(l, reported, out)
	return code, err
}

// present returns the layout of the cluster that is up, with as many nodes as it was made with.
func present(l node.Layout) (node.Layout, error) {
	if err := l.Validate(); err != nil {
		return l, err
	}
	if os.Geteuid() != 0 {
		return l, deps.Check()
	}
	pids, err := supervisors("--state=" + l.State)
	if err != nil {
		return l, err
	}
	if len(pids) == 0 {
		return l, errors.New("no cluster is up: run `cluster up`")
	}
	made, err := readMarker(l.State)
	if made != nil {
		l.Nodes = made.Nodes
	}
	return l, err
}

// reportDeaths names the daemons that have died since known was returned.
func reportDeaths(l node.Layout, known []string, out *log.Logger) []string {
	status, err := supervise.ReadStatus(l.Status())
	if err != nil {
		out.Println("cluster:", err)
		return known
	}
	for _, d := range status.Dead() {
		if !slices.Contains(known, d.Name) {
			out.Println("cluster:", d)
			known = append(known, d.Name)
		}
	}
	return known
}
