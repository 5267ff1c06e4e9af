package node

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"base64": base64.StdEncoding.EncodeToString}).
	ParseFS(templateFiles, "templates/*"))

// settings is what the templates may refer to.
type settings struct {
	Layout
	CNIDir string
}

func (settings) DNSIP() string      { return controlPlaneIP }
func (s settings) PodCIDR() string  { return s.ownPods() }
func (s settings) ClientCA() string { return s.clientCA() }
func (settings) DNSDomain() string  { return dnsDomain }
func (settings) PauseImage() string { return pauseImage }

func render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// writeConfigs writes what the daemons are configured with, save keys.
func (l Layout) writeConfigs(cniDir string) error {
	if err := writeFile(l.path("resolv.conf"), nil); err != nil {
		return err
	}
	for name, path := range map[string]string{
		"containerd.toml": l.path("containerd.toml"),
		"cni.conflist":    l.path("cni", "10-pods.conflist"),
		"kubelet.yaml":    l.path("kubelet.yaml"),
		"Corefile":        l.path("Corefile"),
	} {
		data, err := render(name, settings{Layout: l, CNIDir: cniDir})
		if err != nil {
			return err
		}
		if err := writeFile(path, data); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file for root's eyes, with the directories above it: most
// are keys, and nobody else needs any.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
