package gateway

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// engineVariable names the engine of all gateways of the suite.
const engineVariable = "LLMSERVICE_TEST_ENGINE"

// The suite passes on the other engine, too: it runs again, in a process of its own.
func TestTheSuiteOnHTTP1(t *testing.T) {
	if os.Getenv(engineVariable) != "" {
		return // this is that suite
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout="+time.Until(end(t)).String())
	cmd.Env = append(os.Environ(), engineVariable+"=http1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// end is when the suite has to have ended.
func end(t *testing.T) time.Time {
	t.Helper()
	if deadline, ok := t.Deadline(); ok {
		return deadline
	}
	return time.Now().Add(time.Hour)
}

func TestAnUnknownEngine(t *testing.T) {
	_, err := New(Options{Workers: 1, MaxStreamDuration: time.Second, Engine: "fast"})
	if err == nil || !strings.Contains(err.Error(), `engine: "fast", want one of http1, nethttp`) {
		t.Errorf("error %v", err)
	}
}
