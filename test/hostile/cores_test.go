//go:build hostile && linux

package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cores is how long the threads of a process have run, and how long they have waited for a core to run on, which tells
// whose delay a delay was: a machine with neighbours makes all of its processes wait.
type cores struct{ ran, waited time.Duration }

func (p *process) cores() cores { return coresOf(p.cmd.Process.Pid) }

// coresOf adds up what the scheduler says of each thread (/proc/PID/task/TID/schedstat).
func coresOf(pid int) cores {
	var sum cores
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, thread := range threads {
		text, _ := os.ReadFile(thread)
		fields := strings.Fields(string(text))
		if len(fields) < 2 {
			continue // it has ended
		}
		ran, _ := strconv.ParseInt(fields[0], 10, 64)
		waited, _ := strconv.ParseInt(fields[1], 10, 64)
		sum.ran += time.Duration(ran)
		sum.waited += time.Duration(waited)
	}
	return sum
}

// since is what has come to an earlier reading; threads that have ended, or all of them, take theirs with them.
func (c cores) since(before cores) cores {
	return cores{max(0, c.ran-before.ran), max(0, c.waited-before.waited)}
}

// over is a share of cores in a time.
func (c cores) over(d time.Duration) string {
	return fmt.Sprintf("%.1f (%.1f)", c.ran.Seconds()/d.Seconds(), c.waited.Seconds()/d.Seconds())
}
