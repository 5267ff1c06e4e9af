package admission

import (
	"bytes"
	"cmp"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

const (
	// Base is what a gateway takes without requests, in bytes: the program, its config and its idle connections.
	Base = 40 << 20
	// sharePercent of the rest is for requests. What is left is for memory that is garbage and not collected yet.
	sharePercent = 60
	// leastBudget is what requests get of any limit, in bytes.
	leastBudget = 8 << 20
	// cgroupPercent of a container's memory is for Go; the rest is for the kernel's buffers of connections, which count
	// against it too. The operator's GOMEMLIMIT is as much.
	cgroupPercent = 90
	// machinePercent of a machine's memory is for a gateway without a limit.
	machinePercent = 25
	// someMemory is the limit, in bytes, if the amount of memory is not known.
	someMemory = 1 << 30
)

// Limit is the memory that the process may use, in bytes: the least of GOMEMLIMIT and most of what its control group
// allows, or otherwise a part of what the machine has. It becomes the Go runtime's limit, so that garbage stays within it.
func Limit() int64 {
	limit := least(debug.SetMemoryLimit(-1), os.ReadFile)
	debug.SetMemoryLimit(limit)
	return limit
}

// least is the limit if GOMEMLIMIT is set to that many bytes; math.MaxInt64 means that it is not set. GOMEMLIMIT is from the
// manifest, and the container may have been given less.
func least(set int64, read func(string) ([]byte, error)) int64 {
	machine := memTotal(read)
	if group, limited := ofGroup(read, machine); limited {
		return min(set, group)
	}
	switch {
	case set < math.MaxInt64:
		return set
	case machine > 0:
		return machine / 100 * machinePercent
	default:
		return someMemory
	}
}

// ofGroup is most of what the control group allows; false if that is all of the machine's memory.
func ofGroup(read func(string) ([]byte, error), machine int64) (int64, bool) {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := read(file)
		if err != nil {
			continue
		}
		// Without a limit it is "max", or in version 1 more than any machine has.
		limit, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err == nil && limit > 0 && limit < cmp.Or(machine, math.MaxInt64>>1) {
			return limit / 100 * cgroupPercent, true
		}
	}
	return 0, false
}

// memTotal is the machine's memory, in bytes; 0 if it cannot be read (proc_meminfo(5)).
func memTotal(read func(string) ([]byte, error)) int64 {
	text, err := read("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) < 2 || string(fields[0]) != "MemTotal:" {
			continue
		}
		kilobytes, err := strconv.ParseInt(string(fields[1]), 10, 44)
		if err != nil {
			return 0
		}
		return kilobytes << 10
	}
	return 0
}

// budget is what requests may use of a limit, in bytes.
func budget(limit int64) int {
	return int(max(min(limit-Base, math.MaxInt64/100)/100*sharePercent, leastBudget))
}

// inFlight is the number of requests that may be in flight with that many bytes for requests. Wanted is from the config, 0 for
// none: then half of the memory is for what each of them takes in any case, and half for large bodies and answers.
// At least a quarter is left for these in any case.
func inFlight(budget, wanted int) int {
	most := max(budget/4*3/Flat, 1)
	if wanted == 0 {
		return min(max(budget/2/Flat, 1), maxDerived)
	}
	return min(wanted, most)
}

// maxDerived bounds what is derived; the API's maximum for what is set is higher.
const maxDerived = 10_000
