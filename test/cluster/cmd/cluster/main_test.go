package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// invoke runs the command line and returns its exit code and what it wrote.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	oldOut, oldErr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = files[0], files[1]
	defer func() { os.Stdout, os.Stderr = oldOut, oldErr }()
	code = run(args)
	var texts [2]string
	for i, f := range files {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(data)
	}
	return code, texts[0], texts[1]
}

func TestExistingClusterIsUsedInstead(t *testing.T) {
	t.Setenv(existingEnv, "/their/config")
	t.Setenv(stateEnv, filepath.Join(t.TempDir(), "untouched"))
	t.Setenv("KUBECONFIG", "/somebodys/production")
	for _, command := range []string{"up", "down", "build", "load x:1 /nowhere"} {
		code, _, stderr := invoke(t, strings.Fields(command)...)
		if code != 0 || !strings.Contains(stderr, "LLMSERVICE_KUBECONFIG names the cluster to use (/their/config)") {
			t.Errorf("%s: exit code %d, said %q", command, code, stderr)
		}
	}
	if code, stdout, _ := invoke(t, "kubeconfig"); code != 0 || stdout != "/their/config\n" {
		t.Errorf("kubeconfig: exit code %d, printed %q", code, stdout)
	}
	code, stdout, _ := invoke(t, "exec", "--", "sh", "-c", "echo $KUBECONFIG; exit 3")
	if code != 3 || stdout != "/their/config\n" {
		t.Errorf("exec: exit code %d, printed %q", code, stdout)
	}
}

func TestAssets(t *testing.T) {
	bin := t.TempDir()
	t.Setenv(binEnv, bin)
	t.Setenv(assetsEnv, "")
	code, _, stderr := invoke(t, "assets")
	if code != 1 || !strings.Contains(stderr, "lacks etcd, kube-apiserver, kubectl: run `cluster build --only ") {
		t.Errorf("without binaries: exit code %d, said %q", code, stderr)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if code, stdout, _ := invoke(t, "assets"); code != 0 || stdout != bin+"\n" {
		t.Errorf("with binaries: exit code %d, printed %q", code, stdout)
	}
	t.Setenv(assetsEnv, "/given")
	if code, stdout, _ := invoke(t, "assets"); code != 0 || stdout != "/given\n" {
		t.Errorf("given: exit code %d, printed %q", code, stdout)
	}
	code, _, stderr = invoke(t, "build", "--only", "etcd,kubectl")
	if code != 0 || strings.Count(stderr, "is taken from KUBEBUILDER_ASSETS (/given)") != 2 {
		t.Errorf("build: exit code %d, said %q", code, stderr)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Setenv(existingEnv, "")
	t.Setenv(assetsEnv, "")
	t.Setenv(binEnv, t.TempDir())
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown program": {[]string{"build", "--only", "kubeadm"}, `no program "kubeadm"; allowed: etcd`},
		"bad state":       {[]string{"up", "--state", "here"}, "--state"},
		"bad netns":       {[]string{"down", "--netns", "../x"}, "--netns"},
		"no output":       {[]string{"image", "x:1", "/bin/sh"}, "-o"},
		"latest":          {[]string{"image", "x:latest", "/bin/sh", "-o", "/dev/null"}, "other than latest"},
		"no command":      {[]string{"exec"}, "requires at least 1 arg"},
		"not by hand":     {[]string{"supervise"}, "cluster up"},
	}
	if os.Geteuid() != 0 {
		tests["bad netns"] = struct {
			args []string
			want string
		}{[]string{"down"}, "needs root"}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := invoke(t, tt.args...)
			if code != 1 || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, said %q; want one line with %q", code, stderr, tt.want)
			}
		})
	}
}
