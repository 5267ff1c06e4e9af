// Package netns makes, removes and enters named network namespaces, the ones
// that `ip netns` lists.
package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const namedDir = "/run/netns"

// Exists reports whether the namespace has a name.
func Exists(name string) bool {
	_, err := os.Stat(filepath.Join(namedDir, name))
	return err == nil
}

// Create makes an empty namespace. The caller stays where it is.
func Create(name string) error {
	return onOwnThread(func() error {
		ns, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("create network namespace %s: %w", name, err)
		}
		return ns.Close()
	})
}

// Delete takes the name away; the namespace itself goes with its last process.
// One that does not exist is no error.
func Delete(name string) error {
	path := filepath.Join(namedDir, name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	// EINVAL: a file that an interrupted Create left with nothing mounted on it.
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete network namespace %s: %w", name, err)
	}
	// The directory stays while it has other names, or a mount, in it.
	_ = os.Remove(namedDir)
	return nil
}

// OfProcess opens the namespace that a process is in.
func OfProcess(pid int) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	return f, nil
}

// Inside calls f inside an open namespace.
func Inside(ns *os.File, f func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(netns.NsHandle(ns.Fd())); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// Start starts cmd inside the namespace.
func Start(name string, cmd *exec.Cmd) error {
	return onOwnThread(func() error {
		ns, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("open network namespace %s: %w", name, err)
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return cmd.Start()
	})
}

// onOwnThread runs f on a thread that ends with it: a thread's namespace is its
// own, and no other goroutine may inherit the changed one.
func onOwnThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}
