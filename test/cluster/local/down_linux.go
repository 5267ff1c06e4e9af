package local

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/llmservice/llmservice/test/cluster/deps"
	"github.com/llmservice/llmservice/test/cluster/dirlock"
	"github.com/llmservice/llmservice/test/cluster/netns"
	"github.com/llmservice/llmservice/test/cluster/node"
)

// Down ends every process of the cluster and removes what it had, whatever
// state it is in. Nothing to remove is no error.
func Down(ctx context.Context, l node.Layout, out *log.Logger) error {
	if os.Geteuid() != 0 {
		return deps.Check()
	}
	if err := l.Validate(); err != nil {
		return err
	}
	unlock, err := dirlock.Lock(ctx, l.State)
	if err != nil {
		return err
	}
	defer unlock()
	found, err := clean(ctx, l)
	if err != nil {
		return err
	}
	if err := os.Remove(l.State); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove cluster state: %w", err)
	}
	if found {
		out.Println("the cluster is down")
	} else {
		out.Println("no cluster was up")
	}
	return nil
}

// clean leaves l.State empty and nothing else of the cluster, and reports
// whether there was one. The marker knows the network namespace that the
// cluster was made with, whatever the flags of today say.
func clean(ctx context.Context, l node.Layout) (found bool, err error) {
	made, err := readMarker(l.State)
	if err != nil {
		return false, err
	}
	pids, err := supervisors("--state=" + l.State)
	if err != nil {
		return false, err
	}
	for _, pid := range pids {
		if err := stop(ctx, pid, politely); err != nil {
			return true, err
		}
	}
	if made == nil && len(pids) == 0 {
		return false, nil
	}
	if made != nil {
		l.Netns = made.Netns
	}
	if err := netns.Delete(l.Netns); err != nil {
		return true, err
	}
	if err := removeCgroup(ctx, l.Cgroup()); err != nil {
		return true, err
	}
	return true, emptyState(l.State)
}
