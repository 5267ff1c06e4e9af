package node

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// SuperviseCommand is the subcommand that a supervisor runs as.
const SuperviseCommand = "supervise"

// SuperviseArgs is the command line, after the program's name, of the supervisor of a cluster or a worker. The process list is
// where it is found again: it cannot go stale, as a file with a process id can.
func (l Layout) SuperviseArgs() []string {
	return []string{
		SuperviseCommand, "--state=" + l.State, "--netns=" + l.Netns, "--bin=" + l.Bin,
		fmt.Sprintf("--nodes=%d", l.Nodes), fmt.Sprintf("--node=%d", l.Node),
	}
}

// supervisor is the worker as the first node starts it: one process, in namespaces of its own, so that the node's whole life ends
// with it, as in a power cut.
func (l Layout) supervisor() supervise.Daemon {
	return supervise.Daemon{
		Name: l.Name(), Path: "/proc/self/exe", Args: l.SuperviseArgs(),
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET,
	}
}
