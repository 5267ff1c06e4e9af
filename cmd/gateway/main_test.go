package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// The kubelet cuts a termination message at this many bytes.
const kubeletKeeps = 4096

func TestLastWordsFitTheKubelet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(file, []byte("older words"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 253)
	status := config.Status{
		Version: config.Version, Revision: "0123456789ab", Source: config.CurrentKey, Draining: true,
		Streams:  config.Streams{Opened: 5, Done: 4, Failed: 1},
		Secrets:  slices.Repeat([]config.SecretState{{SecretFile: config.SecretFile{Secret: long, Key: long}}}, 32),
		Rejected: &config.Rejection{Revision: "x", Message: strings.Repeat("x", kubeletKeeps)},
	}
	if err := lastWords(file, status); err != nil {
		t.Fatal(err)
	}
	words, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read config.Status
	if err := json.Unmarshal(words, &read); err != nil || len(words) > kubeletKeeps {
		t.Fatalf("%d bytes: %v", len(words), err)
	}
	if read.Streams != status.Streams || read.Revision != status.Revision {
		t.Errorf("read %+v", read)
	}
}

func TestLastWordsOutsideOfAContainer(t *testing.T) {
	if err := lastWords(filepath.Join(t.TempDir(), "none"), config.Status{}); err != nil {
		t.Error(err)
	}
}

func TestFlags(t *testing.T) {
	f, err := parse([]string{"--workers=3", "--max-stream-duration=90s", "--log-level=debug", "--profiling"})
	if err != nil {
		t.Fatal(err)
	}
	if f.options.Workers != 3 || f.options.MaxStreamDuration.Seconds() != 90 || !f.options.Profiling || f.options.ConfigDir != config.Dir {
		t.Errorf("%+v", f.options)
	}
	for _, bad := range [][]string{{"--workers=many"}, {"--log-level=loud"}, {"--nope"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v: accepted", bad)
		}
	}
	if err := run([]string{"--workers=0"}); err == nil || !strings.Contains(err.Error(), "workers") {
		t.Errorf("no workers: %v", err)
	}
}
