package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelSettings are what a kubelet sets on its machine, with the values it
// wants. They are the whole kernel's, so a cluster that comes and goes must not
// change them: the kubelet is shown files that already say what it wants.
var kernelSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// isolateMounts gives this process, in a mount namespace just made, a file
// system whose changes nobody outside sees and which ends with the namespace.
func (l Layout) isolateMounts() error {
	for _, dir := range []string{l.visibleBin(), l.path("tmp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("isolate mounts: %w", err)
		}
	}
	steps := []struct {
		source, target, fstype string
		flags                  uintptr
	}{
		// The machine's mounts come in, none goes out; inside, they propagate
		// as the kubelet expects.
		{"none", "/", "", unix.MS_REC | unix.MS_SLAVE},
		{"none", "/", "", unix.MS_REC | unix.MS_SHARED},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{l.Bin, l.visibleBin(), "", unix.MS_BIND},
	}
	if l.isWorker() {
		steps = steps[:len(steps)-1] // it comes with the first node's mounts
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, s.target, s.fstype, s.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", s.source, s.target, err)
		}
	}
	for setting, value := range kernelSettings {
		if err := l.maskSetting(setting, value); err != nil {
			return err
		}
	}
	for _, dir := range hidden {
		if err := l.hide(dir); err != nil {
			return err
		}
	}
	return nil
}

// hide puts an empty directory of the cluster's over one of the machine's.
func (l Layout) hide(dir string) error {
	own := l.path("private", strings.ReplaceAll(dir[1:], "/", "-"))
	if err := os.MkdirAll(own, 0o755); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	return bind(own, dir)
}

func (l Layout) maskSetting(setting, value string) error {
	target := filepath.Join("/proc/sys", setting)
	if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) {
		return nil // a kernel without this setting has nothing to protect
	}
	own := l.path("private", "sys", setting)
	if err := writeFile(own, []byte(value+"\n")); err != nil {
		return err
	}
	return bind(own, target)
}

func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}
