package bed

import (
	"bufio"
	"context"
	"errors"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	values := []int{9, 1, 8, 2, 7, 3, 6, 4, 5, 10}
	for percent, want := range map[float64]int{0: 1, 10: 1, 11: 2, 50: 5, 90: 9, 99: 10, 100: 10} {
		if got := Percentile(values, percent); got != want {
			t.Errorf("%v %%: %d, want %d", percent, got, want)
		}
	}
	if got := Percentile([]time.Duration(nil), 50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{3: {9, 1, 3}, 2.5: {4, 1, 9, 1}, 7: {7}} {
		if got := Median(values); got != want {
			t.Errorf("%v: %v, want %v", values, got, want)
		}
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestAProgramThatEndsIsNotAwaited(t *testing.T) {
	s, err := Start(exec.CommandContext(t.Context(), "false"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	silent := errors.New("silent")
	_, err = s.Await(t.Context(), time.Millisecond, func(context.Context) error { return silent })
	if !errors.Is(err, silent) || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("%v", err)
	}
}

func TestCloseEndsTheWholeGroup(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 600 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := out.Read(make([]byte, 1)); err == nil { // its end closes the pipe, which it has, too
		t.Error("the child still has its output")
	}
	if err := syscall.Kill(child, 0); err == nil && !zombie(t, child) {
		t.Errorf("process %d still runs", child)
	}
}

// zombie reports whether a process has ended, and only its parent has not noticed.
func zombie(t *testing.T, pid int) bool {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return len(out) == 0 || strings.HasPrefix(string(out), "Z")
}
