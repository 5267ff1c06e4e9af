package oracle

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/llmservice/llmservice/test/needs"
)

// interpreter is the Python that has requirements.txt installed, as `make oracle-deps` leaves it behind.
func interpreter(t *testing.T) string {
	t.Helper()
	return filepath.Join(needs.Installed(t, "oracle", "oracle", "requirements.txt"), "bin", "python")
}

var running = regexp.MustCompile(`Uvicorn running on http://(\S+)`)

// startFastAPI runs a program of app over the model at modelURL and returns its address.
func startFastAPI(t *testing.T, python, module, modelURL string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-B", "-m", "uvicorn", module+":app", "--app-dir", "app",
		"--host", "127.0.0.1", "--port", "0", "--no-access-log", "--no-use-colors", "--timeout-graceful-shutdown", "5")
	// Nothing of the caller's Python, proxies or telemetry.
	cmd.Env = []string{"MODEL_URL=" + modelURL, "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PYTHONUNBUFFERED=1"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	said := &bytes.Buffer{}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	var reader sync.WaitGroup
	reader.Go(func() { listenTo(io.TeeReader(stderr, said), address) })
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		reader.Wait()
		_ = cmd.Wait() // a signal ended it
	})
	select {
	case at := <-address:
		if at == "" {
			reader.Wait()
			t.Fatalf("uvicorn ended before it served:\n%s", said)
		}
		return at
	case <-time.After(patience):
		t.Fatal("uvicorn did not say where it serves")
	}
	return ""
}

// listenTo reads uvicorn's log to its end, and says where it serves, or "" if it never does.
func listenTo(log io.Reader, address chan<- string) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := running.FindStringSubmatch(lines.Text()); m != nil {
			address <- strings.TrimSuffix(m[1], "/")
		}
	}
	_, _ = io.Copy(io.Discard, log) // a line over the scanner's limit must not block uvicorn
	close(address)
}
