package deps

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, program := range []string{"containerd", "ctr", "nft"} {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	missing := Missing()
	for name, want := range map[string]bool{"containerd": false, "nftables": false, "runc": true} {
		if got := slices.Contains(missing, name); got != want {
			t.Errorf("%s is missing: %t, want %t", name, got, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "ctr")); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(Missing(), "containerd") {
		t.Error("containerd counts as there without its client")
	}
}

func TestPluginsMustAllBeThere(t *testing.T) {
	dir := t.TempDir()
	for _, plugin := range []string{"bridge", "loopback"} {
		if err := os.WriteFile(filepath.Join(dir, plugin), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if hasAll(dir, "bridge", "host-local", "loopback") {
		t.Error("a directory without host-local counts as complete")
	}
	if !hasAll(dir, "bridge", "loopback") {
		t.Error("plugins that are there were not found")
	}
}
