//go:build unix

package dirlock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSecondHolderWaits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	unlock, err := Lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*retryEvery)
	defer cancel()
	if _, err := Lock(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("second lock: %v, want the deadline", err)
	}
	unlock()
	unlock, err = Lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestWaiterTakesTheDirectoryThatIsThere lets a waiter in after the holder has
// removed the directory: the waiter must hold what bears the name now.
func TestWaiterTakesTheDirectoryThatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	unlock, err := Lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	locked := make(chan error, 1)
	var unlockSecond func()
	go func() {
		var err error
		unlockSecond, err = Lock(ctx, dir)
		locked <- err
	}()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-locked; err != nil {
		t.Fatal(err)
	}
	defer unlockSecond()
	if _, err := try(dir); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("a third lock: %v, want it blocked", err)
	}
}
