package stage

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/scenario"
)

func TestRootIsFoundFromBelow(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "test", "scenario", "stage")); err != nil {
		t.Errorf("Root is %s: %v", root, err)
	}
}

func TestRootOutsideIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	if root, err := Root(); err == nil {
		t.Errorf("Root is %s, want an error", root)
	}
}

// TestProgramsAreNamedByContent: a cluster that has an image does not look at it again, so another program needs
// another name, and the same one the same.
func TestProgramsAreNamedByContent(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	var built [2]Program
	for i := range built {
		if built[i], err = buildProgram(t.Context(), root, t.TempDir(), "mockllm", t.Output()); err != nil {
			t.Fatal(err)
		}
		built[i].Path = ""
	}
	if diff := cmp.Diff(built[0], built[1]); diff != "" {
		t.Errorf("two builds of the same sources differ:\n%s", diff)
	}
	if built[0].Bytes == 0 || !strings.HasPrefix(built[0].Image(), "llmservice.internal/mockllm:") {
		t.Errorf("built %+v, image %s", built[0], built[0].Image())
	}
}

// TestReleaseThatCannotBeBuilt: a checkout without the commit says so to those who need the release, and to nobody else.
func TestReleaseThatCannotBeBuilt(t *testing.T) {
	for name, dirs := range map[string]string{"nothing recorded": "", "no such commit": Releases + "/0000000"} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, dirs), 0o755); err != nil {
			t.Fatal(err)
		}
		c := &Cluster{root: root, program: "/bin/false", log: io.Discard}
		if release, err := c.loadRelease(t.Context(), io.Discard); err != nil || release.Lacks == "" {
			t.Errorf("%s: %+v, %v", name, release, err)
		}
	}
}

func TestExistingClusterNeedsAWayForImages(t *testing.T) {
	t.Setenv(existingEnv, "/somewhere/kubeconfig")
	t.Setenv(loadEnv, "")
	c := &Cluster{root: t.TempDir(), program: "/bin/true", log: io.Discard}
	if _, err := c.Load(t.Context(), Programs{}); err == nil || !strings.Contains(err.Error(), loadEnv) {
		t.Errorf("Load = %v, want an error that names %s", err, loadEnv)
	}
}

func TestExistingClusterGetsArchives(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(existingEnv, "/somewhere/kubeconfig")
	t.Setenv(loadEnv, "cp -t "+dir)
	// In the place of the cluster's program, one that writes an archive with its own arguments.
	fake := filepath.Join(t.TempDir(), "cluster")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho $2 >$5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &Cluster{root: t.TempDir(), program: fake, log: t.Output()}
	if err := c.load(t.Context(), "name:tag", filepath.Join(t.TempDir(), "gateway")); err != nil {
		t.Fatal(err)
	}
	loaded, err := os.ReadFile(filepath.Join(dir, "gateway.tar"))
	if err != nil || strings.TrimSpace(string(loaded)) != "name:tag" {
		t.Errorf("loaded %q, %v; want the archive of name:tag", loaded, err)
	}
}

func TestImagesAreHandedOver(t *testing.T) {
	want := scenario.Images{Gateway: "g:1", Next: "g:2", Manager: "m:1", Mock: "u:1"}
	env, err := handOver(want)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(env, "=")
	t.Setenv(name, value)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(nowhere), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	cluster, err := Inside()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, cluster.Images); diff != "" {
		t.Error(diff)
	}
}

func TestOutsideThereIsNoCluster(t *testing.T) {
	t.Setenv(insideEnv, "")
	if cluster, err := Inside(); cluster != nil || err != nil {
		t.Errorf("Inside = %v, %v; want neither", cluster, err)
	}
}

const nowhere = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`
