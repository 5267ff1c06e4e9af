package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// FindSource returns the directory of the module that pins the programs,
// looking from dir upwards, so that the driver works from anywhere inside the
// repository.
func FindSource(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the pinned modules: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		for _, below := range []string{"kubernetes", "test/cluster/kubernetes"} {
			source := filepath.Join(at, below)
			if _, err := os.Stat(filepath.Join(source, "tools.go")); err == nil {
				return source, nil
			}
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no test/cluster/kubernetes in %s or above it: run this inside the repository", dir)
		}
	}
}

// Pins reads the module versions that go.mod in dir requires.
func Pins(dir string) (map[string]string, error) {
	path := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	file, err := modfile.Parse(path, data, nil)
	if err != nil {
		return nil, fmt.Errorf("parse pins: %w", err)
	}
	pins := make(map[string]string, len(file.Require))
	for _, r := range file.Require {
		pins[r.Mod.Path] = r.Mod.Version
	}
	return pins, nil
}

// DefaultDir is where binaries of this version are kept: outside the checkout,
// so that clones and cleaned trees share them.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errors.Join(errors.New("no cache directory: set HOME or name one with --bin"), err)
	}
	return filepath.Join(cache, "llmservice", "k8s-"+KubernetesVersion), nil
}
