package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/llmservice/llmservice/test/scenario"
)

// Program is a static program, built to be the only file of an image.
type Program struct {
	Name string
	// Path is the file; Bytes its size, which is the image's but for its few bytes of metadata.
	Path  string
	Bytes int64
	// Tag names the content: another build of the same sources has the same one.
	Tag string
}

// Image is the name of the program's image.
func (p Program) Image() string { return "llmservice.internal/" + p.Name + ":" + p.Tag }

// The programs that images are made of, with the packages that they are built from.
var packages = map[string]string{
	"gateway": "./cmd/gateway",
	"manager": "./cmd/manager",
	"mockllm": "./test/mockllm/cmd/mockllm",
}

// Programs are what BuildPrograms has built.
type Programs struct{ Gateway, Manager, Mock Program }

// Images are the names and sizes of the programs' images.
func (p Programs) Images() scenario.Images {
	return scenario.Images{
		Gateway: p.Gateway.Image(), Next: p.Gateway.Image() + "-next", Manager: p.Manager.Image(), Mock: p.Mock.Image(),
		GatewayBytes: p.Gateway.Bytes, ManagerBytes: p.Manager.Bytes,
	}
}

// BuildPrograms builds the programs below root, into its build directory. What is up to date costs little.
func BuildPrograms(ctx context.Context, root string, log io.Writer) (Programs, error) {
	dir := filepath.Join(root, "build", "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Programs{}, fmt.Errorf("build: %w", err)
	}
	var built Programs
	for name, to := range map[string]*Program{
		"gateway": &built.Gateway, "manager": &built.Manager, "mockllm": &built.Mock,
	} {
		program, err := buildProgram(ctx, root, dir, name, log)
		if err != nil {
			return Programs{}, err
		}
		*to = program
	}
	return built, nil
}

// buildTags are those of the images that are released: grpc's tracing would keep every exported method in the manager,
// which makes it half as large again.
const buildTags = "grpcnotrace"

func buildProgram(ctx context.Context, root, dir, name string, log io.Writer) (Program, error) {
	path := filepath.Join(dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-tags", buildTags, "-trimpath", "-ldflags=-s -w", "-o", path, packages[name])
	build.Dir, build.Stdout, build.Stderr = root, log, log
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if err := build.Run(); err != nil {
		return Program{}, fmt.Errorf("go build %s: %w", packages[name], err)
	}
	file, err := os.Open(path)
	if err != nil {
		return Program{}, fmt.Errorf("build %s: %w", name, err)
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return Program{}, fmt.Errorf("build %s: %w", name, err)
	}
	return Program{Name: name, Path: path, Bytes: size, Tag: hex.EncodeToString(sum.Sum(nil)[:6])}, nil
}
