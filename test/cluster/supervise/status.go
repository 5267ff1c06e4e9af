package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Phase is how far a cluster has come.
type Phase string

// The phases, in order; Failed replaces Ready when a start did not succeed.
const (
	Starting Phase = "Starting"
	Ready    Phase = "Ready"
	Failed   Phase = "Failed"
)

// Status is what the supervisor tells other processes, in a file.
type Status struct {
	Phase   Phase          `json:"phase"`
	Reason  string         `json:"reason,omitempty"` // why the start failed
	Daemons []DaemonStatus `json:"daemons,omitempty"`
}

// DaemonStatus is one daemon's part of it.
type DaemonStatus struct {
	Name string `json:"name"`
	Log  string `json:"log"`
	// Exit says how the daemon ended; empty while it runs.
	Exit   string     `json:"exit,omitempty"`
	ExitAt *time.Time `json:"exitAt,omitempty"`
}

// Dead returns the daemons that have ended.
func (s Status) Dead() []DaemonStatus {
	return slices.DeleteFunc(slices.Clone(s.Daemons), func(d DaemonStatus) bool { return d.Exit == "" })
}

// String says what happened to a daemon, and where to read on.
func (d DaemonStatus) String() string {
	if d.Exit == "" {
		return d.Name + " is running"
	}
	return fmt.Sprintf("%s died at %s (%s); log: %s", d.Name, d.ExitAt.Format(time.TimeOnly), d.Exit, d.Log)
}

// ReadStatus reads a status file.
func ReadStatus(path string) (Status, error) {
	var s Status
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read cluster status: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read cluster status %s: %w", path, err)
	}
	return s, nil
}

// StatusFile is a Status that is on disk, whole, after every change.
type StatusFile struct {
	path string
	mu   sync.Mutex
	now  Status
}

// NewStatusFile begins a status in phase Starting.
func NewStatusFile(path string) (*StatusFile, error) {
	f := &StatusFile{path: path}
	return f, f.Update(func(s *Status) { s.Phase = Starting })
}

// Update changes the status and writes it.
func (f *StatusFile) Update(change func(*Status)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.now)
	data, err := json.MarshalIndent(f.now, "", "  ")
	if err != nil {
		return fmt.Errorf("write cluster status: %w", err)
	}
	next := f.path + ".next"
	if err := os.WriteFile(next, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write cluster status: %w", err)
	}
	if err := os.Rename(next, f.path); err != nil {
		return fmt.Errorf("write cluster status: %w", err)
	}
	return nil
}
