package release

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/llmservice/llmservice/release/archive"
)

// writePlugin writes an archive of the plugin for each platform, and its manifest for krew.
func (r *release) writePlugin(context.Context) error {
	license, err := r.source.file("LICENSE")
	if err != nil {
		return err
	}
	for _, p := range r.programs {
		if p.name != plugin {
			continue
		}
		data, err := p.read()
		if err != nil {
			return err
		}
		files := []archive.File{{Name: "LICENSE", Data: license}, {Name: filepath.Base(p.path), Data: data, Executable: true}}
		name, pack := p.id()+".tar.gz", archive.TarGz
		if p.os == "windows" {
			name, pack = p.id()+".zip", archive.Zip
		}
		var out bytes.Buffer
		if err := pack(&out, r.source.at, files); err != nil {
			return err
		}
		if err := r.write(name, out.Bytes()); err != nil {
			return err
		}
	}
	if r.Platform != "" {
		return nil
	}
	return r.writeKrew()
}

// writeKrew fills in the template of krew-release-bot (https://github.com/rajatjindal/krew-release-bot) as that does, from the
// archives here instead of those that a release has published.
func (r *release) writeKrew() error {
	text, err := r.source.file(".krew.yaml")
	if err != nil {
		return err
	}
	filled, err := krewManifest(string(text), r.version, r.digests)
	if err != nil {
		return fmt.Errorf(".krew.yaml: %w", err)
	}
	return r.write("krew.yaml", filled)
}

// krewManifest fills in a template. addURIAndSha stands at an indentation of four, and writes its second line there.
func krewManifest(text, version string, digests map[string]string) ([]byte, error) {
	var missing []string
	address := func(uri, tag string) string {
		uri = strings.ReplaceAll(uri, "{{ .TagName }}", tag)
		digest, ok := digests[path.Base(uri)]
		if !ok {
			missing = append(missing, path.Base(uri))
		}
		return "uri: " + uri + "\n    sha256: " + digest
	}
	parsed, err := template.New("krew").Option("missingkey=error").Funcs(template.FuncMap{"addURIAndSha": address}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read it: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, map[string]string{"TagName": version}); err != nil {
		return nil, fmt.Errorf("fill it in: %w", err)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("it names %s, which the release does not have", strings.Join(missing, ", "))
	}
	return out.Bytes(), nil
}
