package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/test/mockllm"
)

// bed is a server in front of a scripted model.
type bed struct {
	model    *mockllm.Server
	upstream *httptest.Server
	server   *exec.Cmd
	dir      string
	url      string
	client   *http.Client
}

// newBed starts the server with a name, and waits until it answers.
func newBed(ctx context.Context, s settings, name string) (b *bed, err error) {
	b = &bed{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.clients + s.held}}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.model = mockllm.New(mockllm.Options{Defaults: mockllm.Script{Tokens: tokens}})
	b.upstream = httptest.NewServer(b.model)
	if b.dir, err = os.MkdirTemp("", "bench-fastapi"); err != nil {
		return b, fmt.Errorf("make a directory: %w", err)
	}
	address, err := freePort(ctx)
	if err != nil {
		return b, err
	}
	b.url = "http://" + address
	if name == "gateway" {
		err = b.prepareGateway(ctx, address)
	} else {
		err = b.prepareFastAPI(ctx, s.python, address)
	}
	if err != nil {
		return b, err
	}
	b.server.Stderr = os.Stderr
	if err := b.server.Start(); err != nil {
		return b, fmt.Errorf("start: %w", err)
	}
	return b, b.await(ctx)
}

func (b *bed) prepareGateway(ctx context.Context, address string) error {
	binary := filepath.Join(b.dir, "gateway")
	//nolint:gosec // the directory is our own
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the gateway: %w: %s", err, out)
	}
	if err := b.writeConfig(ctx); err != nil {
		return err
	}
	admin, err := freePort(ctx)
	if err != nil {
		return err
	}
	//nolint:gosec // the binary has just been built
	b.server = exec.CommandContext(ctx, binary, "-listen", address, "-admin-listen", admin, "-config-dir", b.dir,
		"-workers", "1", "-drain-delay", "0s", "-log-level", "error")
	return nil
}

func (b *bed) writeConfig(ctx context.Context) error {
	raw, err := os.ReadFile("test/oracle/service.yaml")
	if err != nil {
		return fmt.Errorf("run this in the project's directory: %w", err)
	}
	service, err := manifest.Load(ctx, raw)
	if err != nil {
		return fmt.Errorf("the oracle's service: %w", err)
	}
	c, err := render.Contract(service)
	if err != nil {
		return fmt.Errorf("the oracle's service: %w", err)
	}
	c.Runtime.MaxInFlight = 2000
	for i := range c.Upstreams {
		c.Upstreams[i].Endpoints = []config.Endpoint{{URL: b.upstream.URL + "/v1"}}
	}
	encoded, err := config.Encode(c)
	if err != nil {
		return fmt.Errorf("the oracle's service: %w", err)
	}
	//nolint:gosec // the directory is our own
	if err := os.WriteFile(filepath.Join(b.dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	return nil
}

func (b *bed) prepareFastAPI(ctx context.Context, python, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("the address: %w", err)
	}
	//nolint:gosec // it runs what its caller names
	b.server = exec.CommandContext(ctx, python, "-B", "-m", "uvicorn", "main:app", "--app-dir", "test/oracle/app",
		"--host", host, "--port", port, "--no-access-log", "--log-level", "error")
	b.server.Env = []string{"MODEL_URL=" + b.upstream.URL + "/v1", "PATH=" + os.Getenv("PATH")}
	return nil
}

func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// await asks until the server answers.
func (b *bed) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := b.post(ctx, "/answer", "hello"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (b *bed) close() {
	if b.server != nil && b.server.Process != nil {
		_ = b.server.Process.Kill()
		_ = b.server.Wait()
	}
	if b.upstream != nil {
		b.model.Close()
		b.upstream.Close()
	}
	_ = os.RemoveAll(b.dir)
}
