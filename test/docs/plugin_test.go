package docs_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

// pluginDir is the plugin's main package. Go names the program after it, and kubectl looks for plugins by that name.
const pluginDir = "cmd/kubectl-llmservice"

// krew is a plugin's manifest (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/).
type krew struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string `json:"version"`
		Homepage         string `json:"homepage"`
		ShortDescription string `json:"shortDescription"`
		Description      string `json:"description"`
		Platforms        []struct {
			Selector struct {
				MatchLabels map[string]string `json:"matchLabels"`
			} `json:"selector"`
			URI    string `json:"uri"`
			SHA256 string `json:"sha256"`
			Bin    string `json:"bin"`
		} `json:"platforms"`
	} `json:"spec"`
}

// TestKrewManifest fills the template in as krew-release-bot does for a release, and reads what becomes of it.
func TestKrewManifest(t *testing.T) {
	const tag = "v1.2.3"
	digest := strings.Repeat("0a", 32)
	release := map[string]string{"TagName": tag}
	filled := func(text string) string {
		var out bytes.Buffer
		parsed, err := template.New("krew").Funcs(template.FuncMap{"addURIAndSha": func(uri, _ string) string {
			return fmt.Sprintf("uri: %s\n    sha256: %s", strings.ReplaceAll(uri, "{{ .TagName }}", tag), digest)
		}}).Parse(text)
		if err == nil {
			err = parsed.Execute(&out, release)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	var plugin krew
	if err := yaml.UnmarshalStrict([]byte(filled(read(t, ".krew.yaml"))), &plugin); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(pluginDir, "cmd/kubectl-")
	if plugin.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || plugin.Kind != "Plugin" || plugin.Metadata.Name != name {
		t.Errorf("it is the %s %s %q", plugin.APIVersion, plugin.Kind, plugin.Metadata.Name)
	}
	module := strings.TrimPrefix(strings.SplitN(read(t, "go.mod"), "\n", 2)[0], "module ")
	if plugin.Spec.Version != tag || plugin.Spec.Homepage != "https://"+module || len(plugin.Spec.ShortDescription) > 50 || plugin.Spec.Description == "" {
		t.Errorf("it says %+v", plugin.Spec)
	}
	var platforms []string
	for _, p := range plugin.Spec.Platforms {
		platform := p.Selector.MatchLabels["os"] + "_" + p.Selector.MatchLabels["arch"]
		platforms = append(platforms, platform)
		packed, program := ".tar.gz", "kubectl-"+name
		if p.Selector.MatchLabels["os"] == "windows" {
			packed, program = ".zip", program+".exe"
		}
		want := fmt.Sprintf("https://%s/releases/download/%s/kubectl-%s_%s%s", module, tag, name, platform, packed)
		if p.URI != want || p.SHA256 != digest || p.Bin != program {
			t.Errorf("%s: %+v, want %s", platform, p, want)
		}
	}
	same(t, ".krew.yaml", []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64", "windows_arm64"}, platforms)
}

// TestPluginCanBeInstalled: go install takes a package of a module that replaces none, and calls the program what kubectl looks for.
func TestPluginCanBeInstalled(t *testing.T) {
	commands := regexp.MustCompile(`go install (\S+)@latest`).FindAllStringSubmatch(read(t, install), -1)
	if len(commands) == 0 {
		t.Fatalf("%s does not say how the plugin is installed", install)
	}
	module := read(t, "go.mod")
	for _, command := range commands {
		if want := strings.TrimPrefix(strings.SplitN(module, "\n", 2)[0], "module ") + "/" + pluginDir; command[1] != want {
			t.Errorf("%s installs %s, want %s", install, command[1], want)
		}
	}
	if regexp.MustCompile(`(?m)^(replace|exclude)\b`).MatchString(module) {
		t.Error("go install refuses a module that replaces or excludes others")
	}
	if !exists(pluginDir + "/main.go") {
		t.Errorf("%s has no program", pluginDir)
	}
}

// TestReferenceIsReadable: the reference begins with an example, and marks the fields that are required instead of the others.
func TestReferenceIsReadable(t *testing.T) {
	const page = "docs/reference/api.md"
	text := read(t, page)
	if strings.Contains(text, `: \{\} <br`) {
		t.Errorf("%s has marks without a value", page)
	}
	if !strings.Contains(text, "**required**") {
		t.Errorf("%s says of no field that it is required", page)
	}
	before, _, _ := strings.Cut(text, "\n#### ")
	shown := fences(before)
	if len(shown) != 1 {
		t.Fatalf("%s begins with %d examples, want one", page, len(shown))
	}
	contract(t, page, shown[0].text)
}
