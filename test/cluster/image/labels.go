package image

import (
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"time"
)

const (
	// module is this project's.
	module = "github.com/llmservice/llmservice"
	// Home is where its source is.
	Home = "https://" + module
	// LabelPrefix begins the names of all labels.
	LabelPrefix = "org.opencontainers.image."
)

// unstamped is what the Go toolchain calls a program that was not built from a commit.
const unstamped = "(devel)"

// Labels are the annotations of https://specs.opencontainers.org/image-spec/annotations that can be read from a Go
// program itself: so they cannot contradict it, and the same program always has the same. A program that was not
// built from a commit has no version, and one of another module has no home here.
func Labels(path string) (map[string]string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read how %s was built: %w", path, err)
	}
	labels := map[string]string{LabelPrefix + "title": filepath.Base(path)}
	set := func(name, value string) {
		if value != "" {
			labels[LabelPrefix+name] = value
		}
	}
	if info.Main.Path == module {
		set("source", Home)
		set("url", Home)
		set("documentation", Home+"/tree/main/docs")
		set("licenses", "Apache-2.0")
	}
	if info.Main.Version != unstamped {
		set("version", info.Main.Version)
	}
	set("revision", setting(info, "vcs.revision"))
	set("created", setting(info, "vcs.time"))
	return labels, nil
}

// created is the time of the commit that the program was built from, and the zero time if it was built from none.
func created(labels map[string]string) (time.Time, error) {
	text, ok := labels[LabelPrefix+"created"]
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of the commit: %w", err)
	}
	return at, nil
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
