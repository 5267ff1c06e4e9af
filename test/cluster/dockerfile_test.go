//go:build e2e && linux

package cluster_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/cluster/image"
)

// TestDockerfiles walks through the Dockerfiles without Docker: it copies what
// they copy, runs what they run, and makes the local image of the result. So a
// directory that a program has come to need, and its Dockerfile does not copy,
// is found; that a registry has the base image is not.
func TestDockerfiles(t *testing.T) {
	for _, name := range []string{"gateway", "manager"} {
		t.Run(name, func(t *testing.T) {
			src, out := t.TempDir(), t.TempDir()
			var final []string
			for _, line := range dockerfile(t, "../../cmd/"+name+"/Dockerfile") {
				instruction, rest, _ := strings.Cut(line, " ")
				switch {
				case final != nil || instruction == "FROM" && rest == "scratch":
					final = append(final, line)
				case instruction == "COPY":
					copyAll(t, src, strings.Fields(rest))
				case instruction == "RUN":
					runStep(t, src, strings.ReplaceAll(rest, "/out/", out+"/"))
				}
			}
			want := []string{"FROM scratch", "ARG VERSION", "ARG REVISION"}
			want = append(want, labelLines(name)...)
			want = append(want,
				"COPY --from=build /out/"+name+" /"+name,
				"USER "+image.User, `ENTRYPOINT ["/`+name+`"]`,
			)
			if diff := cmp.Diff(want, final); diff != "" {
				t.Error(diff)
			}
			checkEntrypoint(t, filepath.Join(out, name))
		})
	}
}

// labelLines are the labels that the local image has, too, except for the time of the commit, which Docker knows nothing of.
func labelLines(name string) []string {
	var lines []string
	for _, label := range []string{
		"title=" + name,
		"source=" + image.Home,
		"url=" + image.Home,
		"documentation=" + image.Home + "/tree/main/docs",
		"licenses=Apache-2.0",
		"version=$VERSION",
		"revision=$REVISION",
	} {
		lines = append(lines, "LABEL "+image.LabelPrefix+label)
	}
	return lines
}

// dockerfile returns the instructions of a Dockerfile, one line each.
func dockerfile(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
}

func copyAll(t *testing.T, dir string, args []string) {
	t.Helper()
	target := filepath.Join(dir, args[len(args)-1])
	for _, source := range args[:len(args)-1] {
		from := filepath.Join("../..", source)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(target, os.DirFS(from))
		} else {
			var data []byte
			if data, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(filepath.Join(target, source), data, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func runStep(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("RUN %s: %v\n%s", script, err, out)
	}
}

func checkEntrypoint(t *testing.T, program string) {
	t.Helper()
	img, err := image.FromBinary(program)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(config.Config.Entrypoint); err != nil || string(got) != `["/`+filepath.Base(program)+`"]` {
		t.Errorf("the local image starts %s, %v", got, err)
	}
}
