package release

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/release/archive"
)

const chartDir = "charts/llmservice"

// writeManifests writes what is installed: the chart, values that pin its images, and the kustomizations as one file each.
func (r *release) writeManifests(ctx context.Context) error {
	text, err := r.source.file(chartDir + "/Chart.yaml")
	if err != nil {
		return err
	}
	var chart struct {
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal(text, &chart); err != nil {
		return fmt.Errorf("read Chart.yaml: %w", err)
	}
	if r.tagged() && chart.AppVersion != r.version {
		return fmt.Errorf("%s/Chart.yaml of %s has appVersion %s, want the tag", chartDir, r.version, chart.AppVersion)
	}
	if err := r.writeChart(ctx); err != nil {
		return err
	}
	if len(r.images) < len(inImages) {
		return nil
	}
	if err := r.writeValues(); err != nil {
		return err
	}
	for _, dir := range []string{"default", "webhook"} {
		name := map[string]string{"default": "install.yaml", "webhook": "install-with-webhook.yaml"}[dir]
		built, err := output(ctx, r.source.dir, nil, r.Kustomize, "build", "config/"+dir)
		if err != nil {
			return err
		}
		pinned, err := pinImages(built, chart.AppVersion, r.images)
		if err != nil {
			return fmt.Errorf("config/%s: %w", dir, err)
		}
		if err := r.write(name, []byte(pinned+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// writeChart packs the chart with Helm, and then again without the time at which Helm did so.
func (r *release) writeChart(ctx context.Context) error {
	version := strings.TrimPrefix(r.version, "v")
	dir := filepath.Join(r.scratch, "chart")
	env := []string{"HELM_CACHE_HOME=" + dir, "HELM_CONFIG_HOME=" + dir, "HELM_DATA_HOME=" + dir}
	_, err := output(ctx, r.source.dir, env, r.Helm, "package", chartDir,
		"--version", version, "--app-version", r.version, "--destination", dir)
	if err != nil {
		return err
	}
	name := "llmservice-" + version + ".tgz"
	packed, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("read what Helm packed: %w", err)
	}
	files, err := archive.ReadTarGz(packed)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := archive.TarGz(&out, r.source.at, chartOrder(files)); err != nil {
		return err
	}
	return r.write(name, out.Bytes())
}

// chartOrder sorts the files of a chart by name, except that Chart.yaml is first, as Helm has it, so that a reader soon knows the
// chart.
func chartOrder(files []archive.File) []archive.File {
	return slices.SortedFunc(slices.Values(files), func(a, b archive.File) int {
		first := func(f archive.File) int {
			if strings.HasSuffix(f.Name, "/Chart.yaml") {
				return 0
			}
			return 1
		}
		if d := first(a) - first(b); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// writeValues writes values of the chart that name its images by digest instead of by tag.
func (r *release) writeValues() error {
	values := map[string]any{}
	for _, name := range inImages {
		values[name] = map[string]any{"image": map[string]any{"tag": r.images[repositories+name]}}
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		return fmt.Errorf("write the values: %w", err)
	}
	head := "# Values of the chart llmservice " + strings.TrimPrefix(r.version, "v") + " that name its images by digest.\n"
	return r.write("values-digests.yaml", append([]byte(head), text...))
}

// pinImages replaces the tag of each image by its digest. Each is in a manifest exactly once: as a container's image, and as a flag
// of the manager, which no kustomization looks into.
func pinImages(manifest, tag string, digests map[string]string) (string, error) {
	for _, repository := range slices.Sorted(maps.Keys(digests)) {
		named := repository + ":" + tag
		if n := strings.Count(manifest, named+"\n"); n != 1 || strings.Count(manifest, named) != n {
			return "", fmt.Errorf("%s is there %d times, want once", named, strings.Count(manifest, named))
		}
		manifest = strings.Replace(manifest, named+"\n", repository+"@"+digests[repository]+"\n", 1)
	}
	return manifest, nil
}
