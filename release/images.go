package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/llmservice/llmservice/release/archive"
	"github.com/llmservice/llmservice/test/cluster/image"
)

// repositories begins the names of the images of a release, where it is pushed.
const repositories = "ghcr.io/llmservice/"

// inImages are the programs that images are made of.
var inImages = []string{"gateway", "manager"}

// writeImages writes an image of several platforms for each program, as an archive, and a list of all of them by digest.
func (r *release) writeImages(context.Context) error {
	var list strings.Builder
	for _, name := range inImages {
		index, err := r.index(name)
		if err != nil {
			return fmt.Errorf("image of %s: %w", name, err)
		}
		if index == nil {
			continue
		}
		digest, err := index.Digest()
		if err != nil {
			return fmt.Errorf("image of %s: %w", name, err)
		}
		r.images[repositories+name] = digest.String()
		fmt.Fprintf(&list, "%s%s:%s@%s\n", repositories, name, r.version, digest)
		if err := r.writeLayout(name, index); err != nil {
			return fmt.Errorf("image of %s: %w", name, err)
		}
	}
	return r.write("images.txt", []byte(list.String()))
}

// index is the image of a program for all platforms; nil if there is none.
func (r *release) index(name string) (v1.ImageIndex, error) {
	var index v1.ImageIndex
	for _, p := range r.programs {
		if p.name != name {
			continue
		}
		if index == nil {
			labels, err := image.Labels(p.path)
			if err != nil {
				return nil, err
			}
			index, _ = mutate.Annotations(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), labels).(v1.ImageIndex)
		}
		img, err := r.compressed(p)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	return index, nil
}

// compressed is the image of a program in the OCI's formats, with a compressed layer, because it travels.
func (r *release) compressed(p program) (v1.Image, error) {
	local, err := image.FromBinary(p.path)
	if err != nil {
		return nil, err
	}
	config, err := local.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	layers, err := local.Layers()
	if err != nil {
		return nil, fmt.Errorf("read its layers: %w", err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i, layer := range layers {
		packed, err := r.packed(layer, fmt.Sprintf("%s.%d.layer", p.id(), i))
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, packed); err != nil {
			return nil, fmt.Errorf("add a layer: %w", err)
		}
	}
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		return nil, fmt.Errorf("set its configuration: %w", err)
	}
	return img, nil
}

// packed compresses a layer once, into a file.
func (r *release) packed(layer v1.Layer, name string) (v1.Layer, error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return nil, fmt.Errorf("read a layer: %w", err)
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("read a layer: %w", err)
	}
	path := filepath.Join(r.scratch, name)
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write a layer: %w", err)
	}
	err = archive.Gzip(file, data)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("write a layer: %w", err)
	}
	packed, err := tarball.LayerFromFile(path, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("read a layer: %w", err)
	}
	return packed, nil
}

// writeLayout writes an image as an archive of an OCI layout (https://specs.opencontainers.org/image-spec/image-layout). It has the
// name that containerd reads, and the tag, as the specification has it.
func (r *release) writeLayout(name string, index v1.ImageIndex) error {
	dir := filepath.Join(r.scratch, name+".oci")
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{
			"org.opencontainers.image.ref.name": r.version,
			"io.containerd.image.name":          repositories + name + ":" + r.version,
		}))
	}
	if err != nil {
		return fmt.Errorf("write its layout: %w", err)
	}
	files, err := archive.ReadDir(dir)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := archive.Tar(&out, r.source.at, files); err != nil {
		return err
	}
	return r.write(name+".oci.tar", out.Bytes())
}
