package stage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const module = "module github.com/llmservice/llmservice\n"

// Root finds the project's directory above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find the project: %w", err)
		}
		if bytes.HasPrefix(text, []byte(module)) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the project: run this within its directory")
		}
		dir = parent
	}
}
