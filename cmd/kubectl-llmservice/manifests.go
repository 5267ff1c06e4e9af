package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// stdin is the file name that stands for the standard input.
const stdin = "-"

// maxManifestBytes bounds a file: an API server takes no object of more than 3 MiB.
const maxManifestBytes = 16 << 20

// manifestFile is one file of manifests.
type manifestFile struct {
	name string
	text []byte
}

// errNoManifests is the error for a directory in which kubectl would read no file.
var errNoManifests = errors.New("has no file that ends in .yaml, .yml or .json")

// readManifests reads files, the files of directories that kubectl would read, and the standard input for "-".
func readManifests(names []string, recursive bool, in io.Reader) ([]manifestFile, error) {
	var all []manifestFile
	for _, name := range names {
		if name == stdin {
			text, err := readBounded(in)
			if err != nil {
				return nil, fmt.Errorf("read the standard input: %w", err)
			}
			all = append(all, manifestFile{"(stdin)", text})
			continue
		}
		paths, err := manifestsAt(name, recursive)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := readFile(path)
			if err != nil {
				return nil, err
			}
			all = append(all, manifestFile{path, text})
		}
	}
	return all, nil
}

// manifestsAt is the path itself, or the manifests in the directory.
func manifestsAt(path string, recursive bool) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var found []string
	err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && at != path && !recursive:
			return fs.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(at)):
			found = append(found, at)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s %w", path, errNoManifests)
	}
	return found, err
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	defer file.Close()
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

func readBounded(from io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxManifestBytes+1))
	if err == nil && len(text) > maxManifestBytes {
		err = fmt.Errorf("has more than %d MiB", maxManifestBytes>>20)
	}
	return text, err
}
