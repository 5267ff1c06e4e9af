package bed

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asBurner has this test binary burn processor time in threads that end, print a line, and stay.
const asBurner = "LLMSERVICE_TEST_AS_BURNER"

const (
	burners = 3
	burnt   = 20 * time.Millisecond // by each
)

func TestMain(m *testing.M) {
	if os.Getenv(asBurner) != "" {
		burn()
		return
	}
	os.Exit(m.Run())
}

//nolint:gochecknoinits // no other code runs on the first thread for certain
func init() {
	if os.Getenv(asBurner) != "" {
		runtime.LockOSThread() // the first thread never ends, so no burner may have it
	}
}

func burn() {
	commands := bufio.NewReader(os.Stdin)
	_, _ = commands.ReadString('\n') // the meter is there
	ids := make(chan int, burners)
	for range burners {
		go func() {
			runtime.LockOSThread() // and no unlocking, so that the thread ends
			var ran unix.Timespec
			for ran.Nano() < int64(burnt) {
				_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ran)
			}
			ids <- unix.Gettid()
		}()
	}
	for range burners {
		thread := filepath.Join("/proc/self/task", strconv.Itoa(<-ids))
		for until := time.Now().Add(patience); time.Now().Before(until); runtime.Gosched() {
			if _, err := os.Stat(thread); err != nil {
				break
			}
		}
	}
	fmt.Println("burnt")
	_, _ = commands.ReadString('\n') // until it is killed
}

// patience bounds what a burner waits for.
const patience = 10 * time.Second

func TestTheTimeOfThreadsThatEndedCounts(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asBurner+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	meter, err := NewMeter(s.Pid())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("\n"))
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("it printed %q: %v", line, err)
	}
	spent, err := meter.Spent()
	if err != nil || spent < burners*burnt {
		t.Errorf("spent %v, %v, want at least %v", spent, err, burners*burnt)
	}
	live, err := threads("/proc", s.Pid())
	if err != nil || live >= spent {
		t.Errorf("the threads that are left have %v, %v of %v", live, err, spent)
	}
}

// proc makes a directory like /proc.
func proc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestThreadsAreSummed(t *testing.T) {
	dir := proc(t, map[string]string{
		"7/task/7/schedstat": "1500 99 3\n", "7/task/8/schedstat": "500 0 1\n", "9/task/9/schedstat": "7 0 0\n", "10/task/10/schedstat": "many\n",
	})
	if sum, err := threads(dir, 7); err != nil || sum != 2000 {
		t.Errorf("%v, %v", sum, err)
	}
	for _, pid := range []int{8, 10} {
		if sum, err := threads(dir, pid); err == nil {
			t.Errorf("%d: %v", pid, sum)
		}
	}
}

func TestDescendants(t *testing.T) {
	dir := proc(t, map[string]string{
		"1/stat": "1 (init) S 0 1", "5/stat": "5 (a) S 1 5", "6/stat": "6 (b) (c d) S 5 5", "7/stat": "7 (e) S 6 5", "8/stat": "8 (5) S 1 8", "self/stat": "x",
		"6/status": "Name:\tb\nVmRSS:\t    1200 kB\n", "7/status": "Name:\te\n",
	})
	all, err := descendants(dir, 5)
	if err != nil || !slices.Equal(all, []int{5, 6, 7}) {
		t.Errorf("%v, %v", all, err)
	}
	if kib, err := resident(dir, 6); err != nil || kib != 1200 {
		t.Errorf("%v KiB, %v", kib, err)
	}
	if _, err := resident(dir, 7); err == nil {
		t.Error("a process without memory")
	}
}

func TestSpentOfAProcessTree(t *testing.T) {
	before := map[int]time.Duration{5: 100, 6: 50}
	if all, err := spent(before, map[int]time.Duration{5: 130, 6: 50, 9: 7}); err != nil || all != 37 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := spent(before, map[int]time.Duration{5: 130}); err == nil || !strings.Contains(err.Error(), "6 ended") {
		t.Errorf("a process that is gone: %v", err)
	}
}
