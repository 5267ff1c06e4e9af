package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Run runs a command with this process's input and output and returns its exit
// code, as a shell would: 128 and the signal's number for one that was killed.
func Run(ctx context.Context, command, env []string, start func(*exec.Cmd) error) (int, error) {
	path, err := lookUp(command[0], env)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, path, command[1:]...)
	cmd.Args[0] = command[0]
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := start(cmd); err != nil {
		return 0, fmt.Errorf("run %s: %w", command[0], err)
	}
	stop := passSignals(cmd.Process)
	defer stop()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", command[0], err)
	}
	return 0, nil
}

// Environment is this process's, with another KUBECONFIG and bin first in PATH.
func Environment(kubeconfig, bin string) []string {
	return append(os.Environ(),
		"KUBECONFIG="+kubeconfig,
		"PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// lookUp finds a program in the PATH that env has, not in this process's.
func lookUp(name string, env []string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	var path string
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("no program %q in PATH, nor among the cluster's", name)
}
