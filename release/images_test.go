package release

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// unpacked is the OCI layout of an archive.
func unpacked(t *testing.T, path string) v1.ImageIndex {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := t.TempDir()
	for in := tar.NewReader(file); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// TestImagesArePushedAsTheyAreNamed: a registry gives an image of the release's archive the digest that its manifests ask for.
func TestImagesArePushedAsTheyAreNamed(t *testing.T) {
	dir := made(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	for _, program := range inImages {
		top, err := unpacked(t, filepath.Join(dir, program+".oci.tar")).IndexManifest()
		if err != nil || len(top.Manifests) != 1 {
			t.Fatalf("%s: the archive has %+v, %v", program, top, err)
		}
		named := top.Manifests[0]
		index, err := unpacked(t, filepath.Join(dir, program+".oci.tar")).ImageIndex(named.Digest)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://")+"/llmservice/"+program+":pushed", name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(ref, index); err != nil {
			t.Fatal(err)
		}
		pushed, err := remote.Index(ref)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := pushed.Digest()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"install.yaml", "install-with-webhook.yaml", "images.txt"} {
			if !strings.Contains(string(read(t, dir, file)), "@"+digest.String()+"\n") {
				t.Errorf("%s does not name the image %s of %s", file, digest, program)
			}
		}
		checkPlatforms(t, program, pushed)
	}
}

// checkPlatforms checks the image of each platform.
func checkPlatforms(t *testing.T, program string, index v1.ImageIndex) {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != types.OCIImageIndex || manifest.Annotations["org.opencontainers.image.source"] != home {
		t.Errorf("%s: the index is a %s with %v", program, manifest.MediaType, manifest.Annotations)
	}
	var platforms []string
	for _, entry := range manifest.Manifests {
		platforms = append(platforms, entry.Platform.String())
		img, err := index.Image(entry.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Config.User != "65532:65532" || config.Config.Labels["org.opencontainers.image.title"] != program || config.Created.IsZero() {
			t.Errorf("%s: %+v of %s", program, config.Config, config.Created)
		}
		layers, err := img.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%s has %d layers, %v", program, len(layers), err)
		}
		if kind, err := layers[0].MediaType(); err != nil || kind != types.OCILayer {
			t.Errorf("%s has a layer of the type %s, %v", program, kind, err)
		}
	}
	if diff := cmp.Diff([]string{platform}, platforms); diff != "" {
		t.Errorf("%s: platforms (-want +got):\n%s", program, diff)
	}
}

// TestTheChartInstallsTheImagesByDigest renders the packed chart as its users do.
func TestTheChartInstallsTheImagesByDigest(t *testing.T) {
	dir := made(t)
	charts, err := filepath.Glob(filepath.Join(dir, "llmservice-*.tgz"))
	if err != nil || len(charts) != 1 {
		t.Fatalf("the release has the charts %v, %v", charts, err)
	}
	out, err := exec.CommandContext(t.Context(), os.Getenv("LLMSERVICE_HELM"), "template", "llmservice", charts[0],
		"--namespace", "llmservice-system", "--values", filepath.Join(dir, "values-digests.yaml")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(read(t, dir, "images.txt"))) {
		named, digest, _ := strings.Cut(strings.TrimSpace(line), "@")
		repository := named[:strings.LastIndex(named, ":")]
		version := named[strings.LastIndex(named, ":")+1:]
		if !strings.Contains(string(out), repository+"@"+digest) {
			t.Errorf("the chart does not install %s@%s", repository, digest)
		}
		if !strings.Contains(string(out), "app.kubernetes.io/version: "+`"`+version+`"`) {
			t.Errorf("the chart is not of version %s", version)
		}
	}
}
