package sdks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/test/needs"
	"github.com/llmservice/llmservice/test/transcript"
)

// driver has a library do one thing at a time. Leave makes the client of what runs go away.
type driver interface {
	begin(r request)
	leave()
	// outcome waits for what came of it.
	outcome() (answer, error)
}

// process drives a library in a process of its own.
type process struct {
	in    io.WriteCloser
	lines chan string
	said  *transcript.Buffer // what it writes to stderr
}

// python drives a library of driver.py.
func python(library string) func(t *testing.T, url string) driver {
	return func(t *testing.T, url string) driver {
		t.Helper()
		dir := needs.Installed(t, "sdks", "sdks-python", "python/requirements.txt")
		return run(t, url, filepath.Join(dir, "bin", "python"), "-B", "python/driver.py", library)
	}
}

// javascript drives a library of driver.mjs with the Node that package-lock.json pins. Node looks for packages next to the program, so
// it is run from where they are.
func javascript(library string) func(t *testing.T, url string) driver {
	return func(t *testing.T, url string) driver {
		t.Helper()
		dir, modules := t.TempDir(), filepath.Join(needs.Installed(t, "sdks", "sdks-node", "node/package-lock.json"), "node_modules")
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		nodes, err := filepath.Glob(filepath.Join(modules, "node-linux-*", "bin", "node"))
		if err != nil || len(nodes) != 1 {
			t.Fatalf("want one Node for this machine below %s, found %q, %v", modules, nodes, err)
		}
		program, err := os.ReadFile("node/driver.mjs")
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "driver.mjs")
		write(t, copied, program)
		return run(t, url, nodes[0], copied, library)
	}
}

func run(t *testing.T, url, program string, args ...string) driver {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, args...)
	// Nothing of the caller's keys, proxies or telemetry.
	cmd.Env = []string{
		"GATEWAY_URL=" + url, "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_PROXY=*", "LANGSMITH_TRACING=false", "AI_SDK_LOG_WARNINGS=false",
	}
	p := &process{lines: make(chan string), said: &transcript.Buffer{}}
	cmd.Stderr = p.said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(p.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			select {
			case p.lines <- scanner.Text():
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close() // the program ends at the end of its input
		stop()
		<-ended
		_ = cmd.Wait() // it was killed, if it had not ended
	})
	return p
}

func (p *process) begin(r request) {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	_, _ = p.in.Write(append(line, '\n')) // outcome tells of a process that is gone
}

func (p *process) leave() { _, _ = io.WriteString(p.in, "leave\n") }

func (p *process) outcome() (answer, error) {
	select {
	case line, ok := <-p.lines:
		if !ok {
			return answer{}, fmt.Errorf("the program ended: %s", p.said)
		}
		var a answer
		decoder := json.NewDecoder(strings.NewReader(line))
		if err := decoder.Decode(&a); err != nil {
			return answer{}, fmt.Errorf("read %s: %w", line, err)
		}
		return a, nil
	case <-time.After(patience):
		return answer{}, fmt.Errorf("the program says nothing: %s", p.said)
	}
}
