package garbage

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		growth, alive int64
		want          int
	}{
		{32 << 20, 0, 400},
		{32 << 20, 4 << 20, 400},
		{32 << 20, 16 << 20, 200},
		{32 << 20, 32 << 20, 100},
		{32 << 20, 4 << 30, 100},
		{4 << 20, 8 << 20, 100},
	} {
		if got := percent(tt.growth, tt.alive); got != tt.want {
			t.Errorf("with %d bytes alive, %d more are %d %%, want %d", tt.alive, tt.growth, got, tt.want)
		}
	}
}

// The pace follows what is alive, and ends with its owner.
func TestPace(t *testing.T) {
	t.Setenv("GOGC", "")
	stop := Pace(1 << 30)
	if got := paced(t, func(percent int) bool { return percent > usual }); got > largest {
		t.Errorf("with little alive: %d %%", got)
	}
	much := make([]byte, 4*most)
	paced(t, func(percent int) bool { return percent == usual })
	runtime.KeepAlive(much)
	stop()
	runtime.GC()
	if got := current(); got != usual {
		t.Errorf("after its end: %d %%", got)
	}
}

// GOGC is set by the person who runs the process, and stays as it is.
func TestPaceOfTheEnvironment(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	stop := Pace(1 << 30)
	during := current()
	stop()
	if after := current(); during != 70 || after != 70 {
		t.Errorf("%d %%, and then %d %%", during, after)
	}
}

// paced collects until the pace is one that is awaited, and returns it.
func paced(t *testing.T, awaited func(percent int) bool) int {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		runtime.GC()
		if got := current(); awaited(got) {
			return got
		}
		runtime.Gosched() // the collection's cleanups run in a goroutine
	}
	t.Fatalf("the pace stays at %d %%", current())
	return 0
}

func current() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}
