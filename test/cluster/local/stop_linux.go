package local

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/test/cluster/node"
)

// StopNode ends every process of a worker at once, as a power cut does: nothing says goodbye. The node does not come back.
func StopNode(ctx context.Context, l node.Layout, name string, out *log.Logger) error {
	l, err := present(l)
	if err != nil {
		return err
	}
	workers := l.Workers()
	var names []string
	for _, w := range workers {
		names = append(names, w.Name())
	}
	i := slices.Index(names, name)
	if i < 0 {
		return fmt.Errorf("stop node %q: want a node without the control plane, one of: %s", name, strings.Join(names, ", "))
	}
	pids, err := supervisors("--state=" + workers[i].State)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := stop(ctx, pid, atOnce); err != nil {
			return err
		}
	}
	out.Println(name, "is stopped")
	return nil
}
