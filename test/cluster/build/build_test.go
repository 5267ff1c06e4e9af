package build

import (
	"bytes"
	"debug/buildinfo"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pinned is the module that pins what a cluster runs.
const pinned = "../kubernetes"

func TestVersionIsThePinnedOne(t *testing.T) {
	pins, err := Pins(pinned)
	if err != nil {
		t.Fatal(err)
	}
	if got := pins["k8s.io/kubernetes"]; got != "v"+KubernetesVersion {
		t.Errorf("go.mod pins Kubernetes %s, the cache is named for v%s", got, KubernetesVersion)
	}
	for _, p := range Programs() {
		if p.Module != "" && pins[p.Module] == "" {
			t.Errorf("%s: go.mod does not pin %s", p.Name, p.Module)
		}
	}
}

func TestSelect(t *testing.T) {
	tests := map[string]struct {
		names, want []string
		err         string
	}{
		"all":      {want: append([]string{"etcd", "kube-apiserver", "kubectl"}, rest...)},
		"in order": {names: []string{"kubectl", "etcd"}, want: []string{"etcd", "kubectl"}},
		"unknown":  {names: []string{"etcd", "kubeadm"}, err: `no program "kubeadm"; allowed: etcd, kube-apiserver,`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			programs, err := Select(tt.names)
			if err != nil || tt.err != "" {
				if err == nil || tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			var got []string
			for _, p := range programs {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var rest = []string{
	"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "metrics-server", "coredns", "helm", "pause",
}

func TestFindSource(t *testing.T) {
	want, err := filepath.Abs(pinned)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{".", "..", "../../..", "../cmd/cluster"} {
		if got, err := FindSource(from); err != nil || got != want {
			t.Errorf("from %s: %q, %v; want %q", from, got, err, want)
		}
	}
	if got, err := FindSource(t.TempDir()); err == nil {
		t.Errorf("found %s outside the repository", got)
	}
}

// TestCurrent judges the driver itself, a program with modules to its name.
func TestCurrent(t *testing.T) {
	self := filepath.Join(t.TempDir(), "cluster")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", self, "../cmd/cluster")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the driver: %v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	const module = "golang.org/x/mod"
	var version string
	for _, dep := range info.Deps {
		if dep.Path == module {
			version = dep.Version
		}
	}
	bin, name := filepath.Split(self)
	tests := map[string]struct {
		program Program
		pins    map[string]string
		want    bool
	}{
		"same version":    {Program{Name: name, Module: module}, map[string]string{module: version}, true},
		"other version":   {Program{Name: name, Module: module}, map[string]string{module: "v0.0.1"}, false},
		"main module":     {Program{Name: name, Module: info.Main.Path}, map[string]string{info.Main.Path: info.Main.Version}, true},
		"not built of it": {Program{Name: name, Module: "example.com/other"}, nil, false},
		"our own":         {Program{Name: name}, nil, true},
		"absent":          {Program{Name: name + "-absent", Module: module}, map[string]string{module: version}, false},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			if got := current(bin, tt.program, tt.pins); got != tt.want {
				t.Errorf("current = %t, want %t", got, tt.want)
			}
		})
	}
}

// writeModule makes a module with one program that compiles and one that does not.
func writeModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":         "module example.com/programs\n\ngo 1.26.0\n",
		"good/main.go":   "package main\n\nfunc main() {}\n",
		"broken/main.go": "package main\n\nfunc main() { undefined() }\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestBuild(t *testing.T) {
	var out bytes.Buffer
	bin := filepath.Join(t.TempDir(), "bin")
	b := Builder{Source: writeModule(t), Bin: bin, Log: log.New(&out, "", 0)}
	programs := []Program{{Name: "good", Package: "./good"}, {Name: "broken", Package: "./broken"}}

	err := b.Build(t.Context(), programs)
	if err == nil || !strings.Contains(err.Error(), "build broken from ./broken") {
		t.Fatalf("error %v, want one that names the program", err)
	}
	if !strings.Contains(out.String(), "undefined: undefined") {
		t.Errorf("the compiler's complaint is missing from %q", out.String())
	}
	if diff := cmp.Diff([]string{"good"}, names(t, bin)); diff != "" {
		t.Errorf("after a failed build: %s", diff)
	}

	out.Reset()
	if err := b.Build(t.Context(), programs[:1]); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("built again what was there: %q", out.String())
	}
	if diff := cmp.Diff([]string{"broken"}, Missing(bin, programs)); diff != "" {
		t.Error(diff)
	}
}
