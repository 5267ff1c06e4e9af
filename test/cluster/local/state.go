// Package local brings one cluster up on this machine, runs commands in it and
// takes it down without a trace.
package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/llmservice/llmservice/test/cluster/node"
)

// markerName is the file that makes a directory a cluster's state. It comes
// first and goes last, so that what an interrupted up or down leaves is known
// as a cluster's own, and nothing else is ever removed.
const markerName = "cluster.json"

// marker tells down what the cluster has outside its directory.
type marker struct {
	Netns string `json:"netns"`
	Nodes int    `json:"nodes"`
}

var errForeign = errors.New("holds files of something else; name a directory of its own with --state")

// readMarker returns nil for a directory that is absent or empty.
func readMarker(state string) (*marker, error) {
	data, err := os.ReadFile(filepath.Join(state, markerName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, checkEmpty(state)
	}
	if err != nil {
		return nil, fmt.Errorf("read cluster state: %w", err)
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", state, markerName, err)
	}
	return &m, nil
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read cluster state: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s %w", dir, errForeign)
	}
	return nil
}

// writeMarker makes l.State, which is empty, the state of l. The rename makes
// it whole or absent.
func writeMarker(l node.Layout) error {
	data, err := json.Marshal(marker{Netns: l.Netns, Nodes: l.Nodes})
	if err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(l.State), ".llmservice-cluster-")
	if err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close(), os.Rename(f.Name(), filepath.Join(l.State, markerName))); err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	return nil
}

// emptyState removes everything in the state directory, the marker last.
func emptyState(state string) error {
	entries, err := os.ReadDir(state)
	if err != nil {
		return fmt.Errorf("remove cluster state: %w", err)
	}
	for _, e := range entries {
		if e.Name() == markerName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(state, e.Name())); err != nil {
			return fmt.Errorf("remove cluster state: %w", err)
		}
	}
	if err := os.Remove(filepath.Join(state, markerName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove cluster state: %w", err)
	}
	return nil
}
