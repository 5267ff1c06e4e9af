package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llmservice/llmservice/test/cluster/node"
)

const (
	politeness  = 5 * time.Second  // between SIGTERM and SIGKILL
	killTimeout = 30 * time.Second // for the kernel to end a whole PID namespace
)

// supervisors returns the ids of the processes that supervise a cluster and
// match the given argument, --state=… or --netns=….
func supervisors(arg string) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("find supervisors: %w", err)
	}
	var found []int
	for _, dir := range dirs {
		data, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has just ended
		}
		args := bytes.Split(data, []byte{0})
		isArg := func(want string) bool {
			return slices.ContainsFunc(args, func(a []byte) bool { return string(a) == want })
		}
		if len(args) < 2 || string(args[1]) != node.SuperviseCommand || !isArg(arg) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			found = append(found, pid)
		}
	}
	return found, nil
}

// attempt is a signal, and the time to end that it leaves.
type attempt struct {
	signal unix.Signal
	limit  time.Duration
}

// politely and atOnce are ways to stop a supervisor.
var (
	atOnce   = []attempt{{unix.SIGKILL, killTimeout}}
	politely = append([]attempt{{unix.SIGTERM, politeness}}, atOnce...)
)

// stop ends a supervisor, and with it, since it is the first process of its
// PID namespace, every process of the cluster: the kernel sees to that.
func stop(ctx context.Context, pid int, attempts []attempt) error {
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop supervisor %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(process) }()
	for _, attempt := range attempts {
		if err := unix.PidfdSendSignal(process, attempt.signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stop supervisor %d: %w", pid, err)
		}
		if ended, err := waitForEnd(ctx, process, attempt.limit); ended || err != nil {
			return err
		}
	}
	return fmt.Errorf("stop supervisor %d: still there %s after SIGKILL", pid, killTimeout)
}

// waitForEnd polls in slices, so that ctx can end it.
func waitForEnd(ctx context.Context, process int, limit time.Duration) (bool, error) {
	const slice = 200 * time.Millisecond
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if ctx.Err() != nil {
			return false, fmt.Errorf("wait for the supervisor: %w", context.Cause(ctx))
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, int(slice.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for the supervisor: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}
