package build

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
)

// current reports whether bin holds p, built from the pinned version of its
// module: a pin may move without the Kubernetes version that names the cache.
func current(bin string, p Program, pins map[string]string) bool {
	path := filepath.Join(bin, p.Name)
	if p.Module == "" {
		return executable(path)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false
	}
	if info.Main.Path == p.Module {
		return info.Main.Version == pins[p.Module]
	}
	for _, dep := range info.Deps {
		if dep.Path == p.Module {
			return dep.Version == pins[p.Module]
		}
	}
	return false
}

// Missing returns the programs that dir does not hold at all.
func Missing(dir string, programs []Program) []string {
	var missing []string
	for _, p := range programs {
		if !executable(filepath.Join(dir, p.Name)) {
			missing = append(missing, p.Name)
		}
	}
	return missing
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
