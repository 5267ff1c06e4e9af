//go:build hostile && linux

package hostile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Niceness relative to the suite's own. What measures goes first, so that a delay is the gateway's and not that of a client who waited for a core; who attacks
// goes last, so that the cost of attacking does not look like its harm. Without the right to it all are equal.
const (
	niceInstrument = -5
	niceGateway    = 0
	niceAttacker   = 10
)

// base is the suite's niceness before it hurries.
var base = niceness()

// hurry raises this process, all threads of it: Linux has a niceness for each.
func hurry() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, base+niceInstrument)
		}
	}
}

// autogroup is where Linux has the niceness of all that runs in a terminal's session, or in a build's (sched(7)): niceness
// tells the processes of one session apart, and sessions get equal shares of the machine.
const autogroup = "/proc/self/autogroup"

// hurrySession lets this session go before others, where there are others and that may be: what they do would look like the
// harm of an attack. It gives the priority back at the end.
func hurrySession() (back func()) {
	text, err := os.ReadFile(autogroup)
	if err != nil {
		return func() {}
	}
	_, nice, found := strings.Cut(strings.TrimSpace(string(text)), " nice ")
	if !found || os.WriteFile(autogroup, []byte(niceSession), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(autogroup, []byte(nice), 0) }
}

const niceSession = "-15"

// process is a program that this one started, and waits for.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended, once it has
}

func start(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends the process and waits for it.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// companion is a copy of the test program in another role. It says its address first.
type companion struct {
	*process

	address string
	in      io.WriteCloser
	out     *bufio.Reader
}

func startCompanion(name string, nice int, env ...string) (*companion, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the test program: %w", err)
	}
	cmd := exec.Command("nice", "-n", strconv.Itoa(base+nice-niceness()), self)
	cmd.Env = append(append(os.Environ(), role+"="+name), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	// Not cmd.StdoutPipe, which Wait closes under a reader.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	cmd.Stdout = write
	p, err := start(cmd)
	err = errors.Join(err, write.Close())
	if err != nil {
		return nil, err
	}
	c := &companion{process: p, in: in, out: bufio.NewReader(read)}
	if c.address, err = c.line(20 * time.Second); err != nil {
		c.kill()
		return nil, fmt.Errorf("the %s does not say where it listens: %w", name, err)
	}
	return c, nil
}

// line is what the companion says next.
func (c *companion) line(within time.Duration) (string, error) {
	type said struct {
		text string
		err  error
	}
	heard := make(chan said, 1)
	go func() {
		text, err := c.out.ReadString('\n')
		heard <- said{strings.TrimSpace(text), err}
	}()
	select {
	case s := <-heard:
		return s.text, s.err
	case <-time.After(within):
		return "", fmt.Errorf("nothing came for %s", within)
	}
}
