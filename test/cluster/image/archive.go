package image

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// ParseTag reads NAME:TAG. The tag is required and may not be latest: for that
// one the kubelet asks a registry each time, and here is none.
func ParseTag(ref string) (name.Tag, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return name.Tag{}, fmt.Errorf("image name %q: want NAME:TAG: %w", ref, err)
	}
	if tag.TagStr() == "latest" {
		return name.Tag{}, fmt.Errorf("image name %q: want NAME:TAG with a tag other than latest", ref)
	}
	return tag, nil
}

// Canonical is the name that the kubelet and containerd know tag by.
func Canonical(tag name.Tag) string {
	return strings.Replace(tag.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// WriteArchive writes img to path as `docker save` would, through a temporary
// file beside it, so that a failure leaves no half of an archive.
func WriteArchive(path string, tag name.Tag, img v1.Image) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = tarball.Write(tag, img, f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	return nil
}

// Tags lists the names of the images that an archive holds.
func Tags(path string) ([]name.Tag, error) {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		return nil, fmt.Errorf("%s is not an image archive: %w", path, err)
	}
	var tags []name.Tag
	for _, entry := range manifest {
		for _, ref := range entry.RepoTags {
			tag, err := ParseTag(ref)
			if err != nil {
				return nil, fmt.Errorf("archive %s: %w", path, err)
			}
			tags = append(tags, tag)
		}
	}
	if len(tags) == 0 {
		return nil, fmt.Errorf("archive %s: no image in it has a name", path)
	}
	return tags, nil
}
