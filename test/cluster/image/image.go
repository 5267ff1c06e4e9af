// Package image makes container images from static binaries: a FROM-scratch
// image with one file, run as a user that is not root. The same binary always
// gives the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is the uid and gid of every image. A scratch image has no /etc/passwd
// that would give the uid a group, and a kubelet hands on the uid only: a pod
// that should not have root's group sets runAsUser and runAsGroup, both.
const User = "65532:65532"

var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// FromBinary returns an image whose only file, and entrypoint, is the program
// at path, in the root directory under its own base name. The program must be
// a static Linux executable: the image has no loader and no libraries.
func FromBinary(path string) (v1.Image, error) {
	arch, err := staticArchitecture(path)
	if err != nil {
		return nil, err
	}
	entrypoint := "/" + filepath.Base(path)
	layer, err := layerWith(entrypoint, path)
	if err != nil {
		return nil, fmt.Errorf("image of %s: %w", path, err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("image of %s: %w", path, err)
	}
	img, err = configured(img, arch, path)
	if err != nil {
		return nil, fmt.Errorf("image of %s: %w", path, err)
	}
	return img, nil
}

// configured says how the program at path is run, and what it is.
func configured(img v1.Image, arch, path string) (v1.Image, error) {
	labels, err := Labels(path)
	if err != nil {
		return nil, err
	}
	at, err := created(labels)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: at}
	config.Config = v1.Config{Entrypoint: []string{"/" + filepath.Base(path)}, User: User, Labels: labels}
	return mutate.ConfigFile(img, config)
}

// staticArchitecture checks that path can run in an empty root and names its
// architecture as images do.
func staticArchitecture(path string) (string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program (build it with GOOS=linux): %w", path, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is dynamically linked; "+
				"a scratch image needs a static program (build it with CGO_ENABLED=0)", path)
		}
	}
	arch, ok := architectures[file.Machine]
	if !ok {
		return "", fmt.Errorf("%s is for %s; allowed: x86-64 and AArch64", path, file.Machine)
	}
	return arch, nil
}

// layerWith is an uncompressed layer: it never travels further than from this
// process to the containerd next to it, and compressing takes longer than that.
func layerWith(name, path string) (v1.Layer, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	var content bytes.Buffer
	content.Grow(len(program) + 4096)
	archive := tar.NewWriter(&content)
	header := &tar.Header{
		Name: name[1:], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program)), Format: tar.FormatUSTAR,
	}
	err = archive.WriteHeader(header)
	if err == nil {
		_, err = archive.Write(program)
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	return static.NewLayer(content.Bytes(), types.DockerUncompressedLayer), nil
}
