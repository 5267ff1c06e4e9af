//go:build unix

// Package dirlock lets processes take turns on a directory. The lock is the
// directory itself: it needs no file of its own and goes with its holder.
package dirlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const retryEvery = 100 * time.Millisecond

// Lock creates dir if need be and waits until no other process holds it, or
// until ctx ends. Whoever calls the returned function lets the next one in.
func Lock(ctx context.Context, dir string) (unlock func(), err error) {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		unlock, err := try(dir)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process to let go of %s: %w", dir, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// try takes the lock or returns EWOULDBLOCK. A previous holder may have
// removed the directory: a lock on what has no name any more guards nothing,
// so that counts as blocked too.
func try(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create %s: %w", dir, err)
	}
	f, err := os.Open(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, unix.EWOULDBLOCK
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !sameFile(f, dir) {
		_ = f.Close()
		return nil, unix.EWOULDBLOCK
	}
	return func() { _ = f.Close() }, nil
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(held, named)
}
