package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/gateway"
)

// The kubelet cuts a termination message at this many bytes.
const kubeletKeeps = 4096

func TestLastWordsFitTheKubelet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(file, []byte("older words"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 253)
	status := report.Status{
		Version: config.Version, Revision: "0123456789ab", Source: delivery.CurrentKey, Draining: true,
		Streams:  report.Streams{Opened: 5, Done: 4, Failed: 1},
		Secrets:  slices.Repeat([]report.SecretState{{SecretFile: config.SecretFile{Secret: long, Key: long}}}, 32),
		Rejected: &report.RejectedConfig{Revision: "x", Message: strings.Repeat("x", kubeletKeeps)},
	}
	if err := lastWords(file, status); err != nil {
		t.Fatal(err)
	}
	words, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read report.Status
	if err := json.Unmarshal(words, &read); err != nil || len(words) > kubeletKeeps {
		t.Fatalf("%d bytes: %v", len(words), err)
	}
	if read.Streams != status.Streams || read.Revision != status.Revision {
		t.Errorf("read %+v", read)
	}
}

func TestLastWordsOutsideOfAContainer(t *testing.T) {
	if err := lastWords(filepath.Join(t.TempDir(), "none"), report.Status{}); err != nil {
		t.Error(err)
	}
}

// What reads and what calls is named by an argument, else by the environment.
func TestTheEngineAndTheClientOfUpstreams(t *testing.T) {
	own, other := string(gateway.DefaultEngine), string(gateway.DefaultUpstreamClient)
	for _, tt := range []struct{ engine, client, arg, wantEngine, wantClient string }{
		{"", "", "--drain-delay=1s", own, other},
		{"", "", "--upstream-client=own", own, "own"},
		{"", "", "--upstream-client=nethttp", own, "nethttp"},
		{"", "", "--engine=http1", "http1", other},
		{"", "", "--engine=nethttp", "nethttp", other},
		{"http1", "own", "--drain-delay=1s", "http1", "own"},
		{"nethttp", "nethttp", "--drain-delay=1s", "nethttp", "nethttp"},
		{"http1", "own", "--engine=nethttp", "nethttp", "own"},
	} {
		t.Setenv(delivery.EngineVariable, tt.engine)
		t.Setenv(delivery.UpstreamClientVariable, tt.client)
		f, err := parse([]string{tt.arg})
		if err != nil || string(f.options.Engine) != tt.wantEngine || string(f.options.UpstreamClient) != tt.wantClient {
			t.Errorf("%+v: %+v, %v", tt, f, err)
		}
	}
}

func TestAnUnknownEngineOrClientOfUpstreams(t *testing.T) {
	for _, tt := range []struct{ variable, value, arg, want string }{
		{"NONE", "", "--engine=fast", `engine "fast", want http1 or nethttp`},
		{"NONE", "", "--upstream-client=fast", `client of upstreams "fast", want own or nethttp`},
		{delivery.EngineVariable, "fast", "--workers=1", `LLMSERVICE_ENGINE in the environment: engine "fast", want http1 or nethttp`},
		{delivery.UpstreamClientVariable, "fast", "--workers=1", `LLMSERVICE_UPSTREAM_CLIENT in the environment: client of upstreams "fast", want `},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Setenv(tt.variable, tt.value)
			if _, err := parse([]string{tt.arg}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// asGateway has this test binary be the gateway.
const asGateway = "LLMSERVICE_TEST_AS_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(asGateway) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The first signal begins a drain, the second does not wait for its end.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0",
			"--config-dir="+t.TempDir(), "--drain-delay=1h")
		cmd.Env = append(os.Environ(), asGateway+"=1")
		logs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(logs)
		await(t, lines, "config rejected")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		await(t, lines, "draining")
		_ = cmd.Process.Signal(second)
		for lines.Scan() { // to the end of the process
		}
		err = cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 128+int(second) {
			t.Errorf("%s: %v", second, err)
		}
	}
}

func await(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("it logs %q, which is not JSON", lines.Text())
		}
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the logs ended without %q", text)
}

func TestFlags(t *testing.T) {
	for set, want := range map[string]bool{"": false, delivery.WorkersAuto: true, "2": false} {
		t.Setenv(delivery.WorkersVariable, set)
		if f, err := parse(nil); err != nil || f.options.AutoWorkers != want {
			t.Errorf("%s=%s: auto %v (%v), want %v", delivery.WorkersVariable, set, f.options.AutoWorkers, err, want)
		}
	}
	f, err := parse([]string{"--workers=3", "--max-stream-duration=90s", "--log-level=debug", "--profiling", "--engine=http1", "--allowed-address=10.0.0.0/8", "--denied-address=10.9.0.0/16", "--denied-address=::1/128", "--https-proxy=http://proxy:3128", "--no-proxy=.svc"})
	if err != nil {
		t.Fatal(err)
	}
	if f.options.Workers != 3 || f.options.MaxStreamDuration.Seconds() != 90 || !f.options.Profiling || f.options.Engine != "http1" || f.options.ConfigDir != delivery.Dir {
		t.Errorf("%+v", f.options)
	}
	if a := &f.options.Addresses; a.Allowed.String() != "10.0.0.0/8" || a.Denied.String() != "10.9.0.0/16,::1/128" {
		t.Errorf("addresses %+v", a)
	}
	if p := f.options.Proxy; p.Server != "http://proxy:3128" || p.Except != ".svc" {
		t.Errorf("proxy %+v", p)
	}
	for _, bad := range [][]string{{"--workers=many"}, {"--https-proxy=https://proxy"}, {"--no-proxy=a b"}, {"--denied-address=10.0.0.1"}, {"--log-level=loud"}, {"--nope"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v: accepted", bad)
		}
	}
	if err := run([]string{"--workers=0"}); err == nil || !strings.Contains(err.Error(), "workers") {
		t.Errorf("no workers: %v", err)
	}
}
