package bed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Meter counts the processor time of a process and of its descendants, from when it was made.
type Meter struct {
	root   int
	before map[int]time.Duration
}

// NewMeter begins to count.
func NewMeter(root int) (*Meter, error) {
	before, err := processors(root)
	return &Meter{root: root, before: before}, err
}

// Spent is the time since the meter was made. Processes that have come since then count from their start; one that has gone takes
// its figure with it, which is an error.
func (m *Meter) Spent() (time.Duration, error) {
	after, err := processors(m.root)
	if err != nil {
		return 0, err
	}
	return spent(m.before, after)
}

func spent(before, after map[int]time.Duration) (all time.Duration, err error) {
	for pid, ran := range after {
		all += ran - before[pid]
	}
	for pid := range before {
		if _, there := after[pid]; !there {
			return 0, fmt.Errorf("process %d ended while it was measured", pid)
		}
	}
	return all, nil
}

func processors(root int) (map[int]time.Duration, error) {
	pids, err := descendants("/proc", root)
	if err != nil {
		return nil, err
	}
	all := make(map[int]time.Duration, len(pids))
	for _, pid := range pids {
		if all[pid], err = processor("/proc", pid); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// processor is the time that the scheduler has given to a process: the larger of the sum over the threads that it has, and of
// the process's clock. Both count the same, in nanoseconds. The clock keeps the time of threads that have ended, which the
// sum has lost.
func processor(proc string, pid int) (time.Duration, error) {
	live, err := threads(proc, pid)
	if err != nil {
		return 0, err
	}
	return max(live, clock(pid)), nil
}

// threads adds up what the scheduler has given to each thread of a process (proc/PID/task/TID/schedstat, the first figure).
func threads(proc string, pid int) (all time.Duration, err error) {
	files, err := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "task", "*", "schedstat"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has ended, or this kernel does not report how much its threads have run: %w", pid, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if gone(err) {
			continue // the thread ended meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("read a thread's time: %w", err)
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read a thread's time: %w", err)
		}
		all += time.Duration(n)
	}
	return all, nil
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// clock is the processor clock of another process, whose ID clock_getcpuclockid(3) makes of the process's in this way; 0 if
// there is none.
func clock(pid int) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil { //nolint:gosec // a process ID has at most 22 bits
		return 0
	}
	return time.Duration(t.Nano())
}

// Resident is the resident memory of a process and of its descendants, in KiB.
func Resident(root int) (kib float64, err error) {
	pids, err := descendants("/proc", root)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		one, err := resident("/proc", pid)
		if err != nil {
			return 0, err
		}
		kib += one
	}
	return kib, nil
}

func resident(proc string, pid int) (float64, error) {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("process %d has no VmRSS", pid)
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return n, nil
}

// descendants are a process, and all whose parent is among them, by the fourth field of proc/PID/stat.
func descendants(proc string, root int) ([]int, error) {
	files, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := map[int][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// The second field is a name in parentheses, which may have spaces and parentheses in it.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}
