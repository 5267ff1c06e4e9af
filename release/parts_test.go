package release

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/release/archive"
)

// TestPluginArchives packs stand-ins for the plugin of every platform, and reads the manifest for krew that names them.
func TestPluginArchives(t *testing.T) {
	r := &release{
		Options: Options{Out: t.TempDir(), Log: io.Discard}, version: "v1.2.3", scratch: t.TempDir(), digests: map[string]string{},
		source: source{dir: "..", at: time.Unix(1_700_000_000, 0)},
	}
	for _, p := range every() {
		p.path = filepath.Join(t.TempDir(), p.name)
		if p.os == "windows" {
			p.path += ".exe"
		}
		if err := os.WriteFile(p.path, []byte(p.id()), 0o600); err != nil {
			t.Fatal(err)
		}
		r.programs = append(r.programs, p)
	}
	if err := r.writePlugin(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := archive.ReadTarGz(read(t, r.Out, "kubectl-llmservice_darwin_arm64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	want := []archive.File{
		{Name: "LICENSE", Data: read(t, "..", "LICENSE")},
		{Name: plugin, Data: []byte("kubectl-llmservice_darwin_arm64"), Executable: true},
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	checkKrew(t, r)
}

func checkKrew(t *testing.T, r *release) {
	t.Helper()
	var manifest struct {
		Spec struct {
			Version   string `json:"version"`
			Platforms []struct {
				URI    string `json:"uri"`
				SHA256 string `json:"sha256"`
				Bin    string `json:"bin"`
			} `json:"platforms"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, r.Out, "krew.yaml"), &manifest); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, p := range manifest.Spec.Platforms {
		address, file := filepath.Split(p.URI)
		if address != home+"/releases/download/v1.2.3/" {
			t.Errorf("%s is not in the release", p.URI)
		}
		if wantBin := map[bool]string{true: plugin + ".exe", false: plugin}[strings.HasSuffix(file, ".zip")]; p.Bin != wantBin {
			t.Errorf("%s has the program %s, want %s", file, p.Bin, wantBin)
		}
		named[file] = p.SHA256
	}
	want := digests(t, r.Out)
	delete(want, "krew.yaml")
	if diff := cmp.Diff(want, named); diff != "" || manifest.Spec.Version != "v1.2.3" {
		t.Errorf("krew's version %s (-archives +named):\n%s", manifest.Spec.Version, diff)
	}
}

func TestKrewNamesNothingElse(t *testing.T) {
	text := read(t, "..", ".krew.yaml")
	if _, err := krewManifest(string(text), "v1.2.3", map[string]string{}); err == nil || !strings.Contains(err.Error(), "kubectl-llmservice_windows_arm64.zip") {
		t.Errorf("without archives: %v", err)
	}
}

// TestImagesArePinnedOnce: a manifest that names an image in another way, or not at all, is not passed on with its tag.
func TestImagesArePinnedOnce(t *testing.T) {
	pins := map[string]string{"r/manager": "sha256:1", "r/gateway": "sha256:2"}
	got, err := pinImages("image: r/manager:v0\n- --gateway-image=r/gateway:v0\n", "v0", pins)
	if want := "image: r/manager@sha256:1\n- --gateway-image=r/gateway@sha256:2\n"; err != nil || got != want {
		t.Errorf("pinned: %q, %v, want %q", got, err, want)
	}
	for name, manifest := range map[string]string{
		"one is missing":     "image: r/manager:v0\n",
		"one is there twice": "image: r/manager:v0\nimage: r/manager:v0\n- --gateway-image=r/gateway:v0\n",
		"a longer tag":       "image: r/manager:v0-rc\n- --gateway-image=r/gateway:v0\n",
	} {
		if got, err := pinImages(manifest, "v0", pins); err == nil {
			t.Errorf("%s: pinned %q", name, got)
		}
	}
}

// TestTheVersionIsTheCommits: what Go stamped is the version, and it has to be the tag that is asked for.
func TestTheVersionIsTheCommits(t *testing.T) {
	const pseudo = "v0.0.0-20260102030405-0123456789ab"
	for name, tt := range map[string]struct{ stamped, asked, refused string }{
		"a tag":            {"v1.2.3", "v1.2.3", ""},
		"any commit":       {pseudo, "", ""},
		"another tag":      {"v1.2.3", "v1.2.4", "want v1.2.4"},
		"no tag":           {pseudo, "v1.2.3", "want v1.2.3"},
		"a changed tree":   {"v1.2.3+dirty", "", "without changes"},
		"no commit at all": {"(devel)", "", "without changes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &release{Options: Options{Version: tt.asked}, programs: []program{{info: &debug.BuildInfo{Main: debug.Module{Version: tt.stamped}}}}}
			err := r.takeVersion()
			if tt.refused == "" && (err != nil || r.version != tt.stamped) {
				t.Errorf("version %q, %v", r.version, err)
			}
			if tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
				t.Errorf("error %v, want %q", err, tt.refused)
			}
		})
	}
}

// TestATagHasItsChart: a commit that is tagged has the version in its chart, and so the images of its manifests.
func TestATagHasItsChart(t *testing.T) {
	r := &release{version: "v99.0.0", source: source{dir: ".."}}
	if err := r.writeManifests(t.Context()); err == nil || !strings.Contains(err.Error(), "appVersion") {
		t.Errorf("error %v, want one about appVersion", err)
	}
}

// TestEveryProgramIsReleased: images run on the nodes of a cluster, the plugin wherever somebody works.
func TestEveryProgramIsReleased(t *testing.T) {
	var ids []string
	for _, p := range every() {
		ids = append(ids, p.id())
	}
	slices.Sort(ids)
	want := []string{
		"gateway_linux_amd64", "gateway_linux_arm64",
		"kubectl-llmservice_darwin_amd64", "kubectl-llmservice_darwin_arm64",
		"kubectl-llmservice_linux_amd64", "kubectl-llmservice_linux_arm64",
		"kubectl-llmservice_windows_amd64", "kubectl-llmservice_windows_arm64",
		"manager_linux_amd64", "manager_linux_arm64",
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}
