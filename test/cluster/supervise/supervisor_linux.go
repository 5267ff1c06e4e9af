package supervise

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Supervisor starts daemons and reports their ends. It restarts none: a daemon
// that dies in a test is a finding.
type Supervisor struct {
	Reaper *Reaper
	Status *StatusFile
	LogDir string
	Dir    string   // working directory of the daemons
	Env    []string // their whole environment
	// Died is called with each daemon that has ended.
	Died func(DaemonStatus)
}

// Start starts d, with its output appended to its log.
func (s *Supervisor) Start(d Daemon) error {
	output, err := s.openLog(d.Name)
	if err != nil {
		return fmt.Errorf("start %s: %w", d.Name, err)
	}
	defer output.Close()
	cmd := exec.Command(d.Path, d.Args...) //nolint:noctx // it ends with the PID namespace
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, s.Env, output, output
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: d.Namespaces}
	// Registered first: an exit may be reported before Start returns.
	err = s.Status.Update(func(st *Status) {
		st.Daemons = append(st.Daemons, DaemonStatus{Name: d.Name, Log: output.Name()})
	})
	if err != nil {
		return err
	}
	if _, err := s.Reaper.Start(cmd, func(w unix.WaitStatus) { s.exited(d.Name, w) }); err != nil {
		return fmt.Errorf("daemon %s: %w", d.Name, err)
	}
	return nil
}

// LogPath is where the named daemon's output goes.
func (s *Supervisor) LogPath(name string) string {
	return filepath.Join(s.LogDir, name+".log")
}

func (s *Supervisor) openLog(name string) (*os.File, error) {
	return os.OpenFile(s.LogPath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// exited writes the end down: in the daemon's log, for who reads that, and in
// the status, for who runs the cluster.
func (s *Supervisor) exited(name string, how unix.WaitStatus) {
	now := time.Now()
	ended := DaemonStatus{Name: name, Log: s.LogPath(name), Exit: Describe(how), ExitAt: &now}
	if output, err := s.openLog(name); err == nil {
		_, _ = fmt.Fprintf(output, "--- %s\n", ended)
		_ = output.Close()
	}
	err := s.Status.Update(func(st *Status) {
		for i := range st.Daemons {
			if st.Daemons[i].Name == name {
				st.Daemons[i] = ended
			}
		}
	})
	if err != nil {
		log.Println(err)
	}
	s.Died(ended)
}
