package gateway

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/upstream"
)

// These name the engine and the client of upstreams of all gateways of the suite.
const engineVariable, clientVariable = "LLMSERVICE_TEST_ENGINE", "LLMSERVICE_TEST_UPSTREAM_CLIENT"

// The suite passes on the other engine and with the other client of upstreams, too: it runs again, in a process of its own.
func TestTheSuiteOnTheOtherEngine(t *testing.T) {
	if os.Getenv(engineVariable) != "" {
		return // this is that suite
	}
	engine, client := HTTP1, upstream.Own
	if DefaultEngine == engine {
		engine = NetHTTP
	}
	if DefaultUpstreamClient == client {
		client = upstream.NetHTTP
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout="+time.Until(end(t)).String())
	cmd.Env = append(os.Environ(), engineVariable+"="+string(engine), clientVariable+"="+string(client))
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
