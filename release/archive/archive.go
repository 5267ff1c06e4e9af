// Package archive writes archives whose bytes depend on nothing but the files in them and one time: no owner, no mode of this
// machine, no order in which a directory happens to be read.
package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// File is a file of an archive. Name has slashes.
type File struct {
	Name       string
	Data       []byte
	Executable bool
}

func (f File) mode() fs.FileMode {
	if f.Executable {
		return 0o755
	}
	return 0o644
}

// sorted are the files by name.
func sorted(files []File) []File {
	return slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
}

// Tar writes the files, sorted by name, as a tar archive.
func Tar(w io.Writer, at time.Time, files []File) error {
	out := tar.NewWriter(w)
	for _, f := range sorted(files) {
		if err := add(out, at, f); err != nil {
			return err
		}
	}
	return closed(out)
}

// TarGz is Tar, compressed. The files keep their order: a chart has to begin with Chart.yaml.
func TarGz(w io.Writer, at time.Time, files []File) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	out := tar.NewWriter(compressed)
	for _, f := range files {
		if err := add(out, at, f); err != nil {
			return err
		}
	}
	return errors.Join(closed(out), closed(compressed))
}

func closed(c io.Closer) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

func add(out *tar.Writer, at time.Time, f File) error {
	err := out.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: f.Name, Mode: int64(f.mode()), Size: int64(len(f.Data)), ModTime: at.UTC(), Format: tar.FormatUSTAR,
	})
	if err == nil {
		_, err = out.Write(f.Data)
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", f.Name, err)
	}
	return nil
}

// Zip writes the files, sorted by name, as a zip archive.
func Zip(w io.Writer, at time.Time, files []File) error {
	out := zip.NewWriter(w)
	for _, f := range sorted(files) {
		header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: at.UTC()}
		header.SetMode(f.mode())
		entry, err := out.CreateHeader(header)
		if err == nil {
			_, err = entry.Write(f.Data)
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", f.Name, err)
		}
	}
	return closed(out)
}

// ReadTarGz are the regular files of a compressed tar archive, in its order.
func ReadTarGz(data []byte) ([]File, error) {
	content, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	var files []File
	for in := tar.NewReader(content); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("read %s of the archive: %w", header.Name, err)
		}
		files = append(files, File{Name: header.Name, Data: text, Executable: header.Mode&0o111 != 0})
	}
}

// ReadDir are the files below a directory, named from it.
func ReadDir(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files = append(files, File{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	return files, nil
}

// Gzip compresses data, without a name or a time in its header.
func Gzip(w io.Writer, data []byte) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.DefaultCompression)
	if err == nil {
		_, err = compressed.Write(data)
	}
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return closed(compressed)
}
