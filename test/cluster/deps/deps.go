// Package deps knows what a machine must have before a cluster can run on it.
package deps

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Package is one of Debian's and Ubuntu's packages, with the files that show it
// is there, however it was installed.
type Package struct {
	Name     string
	Programs []string
	Why      string
}

// Packages lists what a cluster uses and does not build.
var Packages = []Package{
	{"containerd", []string{"containerd", "ctr"}, "runs containers"},
	{"runc", []string{"runc"}, "containerd starts each container with it"},
	{"nftables", []string{"nft"}, "kube-proxy programs Services with it"},
	{cniPackage, nil, "gives pods addresses"},
}

const cniPackage = "containernetworking-plugins"

// cniDirs are where distributions and upstream put CNI plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// CNIDir returns the directory of the plugins that pods' networking takes, or
// "" if there is none.
func CNIDir() string {
	for _, dir := range cniDirs {
		if hasAll(dir, "bridge", "host-local", "loopback") {
			return dir
		}
	}
	return ""
}

func hasAll(dir string, names ...string) bool {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// Missing returns the names of the packages that this machine lacks.
func Missing() []string {
	var missing []string
	for _, p := range Packages {
		if !p.present() {
			missing = append(missing, p.Name)
		}
	}
	return missing
}

func (p Package) present() bool {
	if p.Name == cniPackage {
		return CNIDir() != ""
	}
	for _, program := range p.Programs {
		if _, err := exec.LookPath(program); err != nil {
			return false
		}
	}
	return true
}

// Check says in one line what keeps a cluster from running here, and what to
// do about it.
func Check() error {
	const instead = "or name an existing cluster in LLMSERVICE_KUBECONFIG"
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a cluster needs Linux, this is %s: use a Linux machine, %s", runtime.GOOS, instead)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("a cluster needs root (namespaces, mounts): run this as root, %s", instead)
	}
	if missing := Missing(); len(missing) > 0 {
		return fmt.Errorf("missing packages %s: run `cluster deps --install`, %s", strings.Join(missing, " "), instead)
	}
	return nil
}

// Install installs packages with apt-get.
func Install(ctx context.Context, names []string, out io.Writer) error {
	if len(names) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no apt-get here: install what provides %s by other means: %w", strings.Join(names, " "), err)
	}
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, names...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("apt-get %s: %w", args[0], err)
		}
	}
	return nil
}
