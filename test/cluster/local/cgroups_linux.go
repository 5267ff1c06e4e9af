package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cgroupMount   = "/sys/fs/cgroup"
	cgroupTimeout = 10 * time.Second
	cgroupRetry   = 50 * time.Millisecond
)

// hierarchies are the roots that a control group needs a directory below: one
// with cgroup v2, one for each controller with v1 (cgroups(7)).
func hierarchies() ([]string, error) {
	if isHierarchy(cgroupMount) {
		return []string{cgroupMount}, nil
	}
	dirs, err := filepath.Glob(filepath.Join(cgroupMount, "*"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", cgroupMount, err)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !isHierarchy(dir) }), nil
}

func isHierarchy(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.procs"))
	return err == nil
}

// createCgroup makes the group that the kubelet puts all pods below.
func createCgroup(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return fmt.Errorf("create control group %s: %w", name, err)
	}
	if len(roots) == 0 {
		return fmt.Errorf("create control group %s: no cgroup file system on %s", name, cgroupMount)
	}
	for _, root := range roots {
		if err := passControllersOn(root, filepath.Dir(name)); err != nil {
			return fmt.Errorf("create control group %s: %w", name, err)
		}
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create control group %s: %w", name, err)
		}
	}
	return nil
}

// passControllersOn lets groups below a parent have its controllers, which cgroup
// v2 leaves to those who make them; with v1 there is nothing to do.
func passControllersOn(root, parent string) error {
	if root != cgroupMount {
		return nil
	}
	controllers, err := os.ReadFile(filepath.Join(root, parent, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("list controllers: %w", err)
	}
	for c := range strings.FieldsSeq(string(controllers)) {
		err := os.WriteFile(filepath.Join(root, parent, "cgroup.subtree_control"), []byte("+"+c), 0)
		if err != nil {
			return fmt.Errorf("pass controller %s on: %w", c, err)
		}
	}
	return nil
}

// removeCgroup removes a control group whose processes have been killed. The
// kernel lets go of a group a moment after its last process.
func removeCgroup(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, cgroupTimeout)
	defer cancel()
	roots, err := hierarchies()
	if err != nil {
		return fmt.Errorf("remove control group %s: %w", name, err)
	}
	tick := time.NewTicker(cgroupRetry)
	defer tick.Stop()
	for _, root := range roots {
		err := removeTree(filepath.Join(root, name))
		for ; errors.Is(err, unix.EBUSY) && ctx.Err() == nil; <-tick.C {
			err = removeTree(filepath.Join(root, name))
		}
		if err != nil {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
	return nil
}

// removeTree removes directories only: a control group's files are no files.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", root, err)
	}
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			return &os.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
	return nil
}
