// Package samples holds the LLMServices that show how requests can be answered.
package samples

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// suffix is that of a sample's file.
const suffix = ".yaml"

// Names are those of the samples, sorted.
func Names() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(fmt.Sprintf("read the embedded samples: %v", err)) // the compiler has put them there
	}
	var names []string
	for _, entry := range entries {
		if name := strings.TrimSuffix(entry.Name(), suffix); name != "kustomization" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Text is the manifest of the sample with a name; it is empty if there is none.
func Text(name string) string {
	text, err := files.ReadFile(name + suffix)
	if err != nil {
		return ""
	}
	return string(text)
}
