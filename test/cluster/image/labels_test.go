package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// released is a program of this project's module, built from a commit that has a tag.
func released(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module " + module + "\n", "main.go": "package main\n\nfunc main() {}\n", ".gitignore": "/gateway\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"git", "init", "-q"},
		{"git", "add", "."},
		{"git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "first"},
		{"git", "tag", "v1.2.3"},
		{"go", "build", "-buildvcs=true", "-o", "gateway", "."},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return filepath.Join(dir, "gateway")
}

// TestLabelsAreThoseOfTheProgram: what an image says of itself is what the Go toolchain stamped into its program.
func TestLabelsAreThoseOfTheProgram(t *testing.T) {
	img, err := FromBinary(released(t))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	labels := config.Config.Labels
	revision := labels["org.opencontainers.image.revision"]
	if len(revision) != 40 {
		t.Errorf("the revision is %q, want a commit", revision)
	}
	want := map[string]string{
		"org.opencontainers.image.title":         "gateway",
		"org.opencontainers.image.source":        "https://github.com/llmservice/llmservice",
		"org.opencontainers.image.url":           "https://github.com/llmservice/llmservice",
		"org.opencontainers.image.documentation": "https://github.com/llmservice/llmservice/tree/main/docs",
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.version":       "v1.2.3",
		"org.opencontainers.image.revision":      revision,
		"org.opencontainers.image.created":       "2026-01-02T03:04:05Z",
	}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got := config.Created.UTC().Format("2006-01-02T15:04:05Z"); got != "2026-01-02T03:04:05Z" {
		t.Errorf("the image is from %s, want the time of the commit", got)
	}
}
