package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/test/mockllm"
)

// bench is a server in front of a scripted model.
type bench struct {
	model    *mockllm.Server
	upstream *httptest.Server
	server   *bed.Server
	dir      string
	url      string
	client   *http.Client
}

// newBench starts the server with a name, and waits until it answers.
func newBench(ctx context.Context, s settings, name string) (b *bench, err error) {
	b = &bench{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.clients + s.held}}}
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
	if name == "gateway" {
		return b, b.startGateway(ctx)
	}
	return b, b.startFastAPI(ctx, s.python)
}

func (b *bench) startGateway(ctx context.Context) error {
	program, err := bed.BuildGateway(ctx, b.dir)
	if err != nil {
		return err
	}
	c, err := b.contract(ctx)
	if err != nil {
		return err
	}
	server, at, err := program.StartGateway(ctx, bed.Gateway{Dir: b.dir, Config: c, Workers: 1})
	b.server, b.url = server, "http://"+at.API
	return err
}

// contract is the config that the operator would write for the oracle's service.
func (b *bench) contract(ctx context.Context) (*config.Config, error) {
	raw, err := os.ReadFile("test/oracle/service.yaml")
	if err != nil {
		return nil, fmt.Errorf("run this in the project's directory: %w", err)
	}
	service, err := manifest.Load(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the oracle's service: %w", err)
	}
	c, err := render.Contract(service)
	if err != nil {
		return nil, fmt.Errorf("the oracle's service: %w", err)
	}
	c.Runtime.MaxInFlight = 2000
	for i := range c.Upstreams {
		c.Upstreams[i].Endpoints = []config.Endpoint{{URL: b.upstream.URL + "/v1"}}
	}
	return c, nil
}

func (b *bench) startFastAPI(ctx context.Context, python string) error {
	address, err := bed.FreeAddress(ctx)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("the address: %w", err)
	}
	b.url = "http://" + address
	//nolint:gosec // it runs what its caller names
	cmd := exec.CommandContext(ctx, python, "-B", "-m", "uvicorn", "main:app", "--app-dir", "test/oracle/app",
		"--host", host, "--port", port, "--no-access-log", "--log-level", "error")
	cmd.Env = []string{"MODEL_URL=" + b.upstream.URL + "/v1", "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = os.Stderr
	if b.server, err = bed.Start(cmd); err != nil {
		return err
	}
	_, err = b.server.Await(ctx, 50*time.Millisecond, func(ctx context.Context) error { return b.post(ctx, "/answer", "hello") })
	return err
}

func (b *bench) close() {
	b.server.Close()
	if b.upstream != nil {
		b.model.Close()
		b.upstream.Close()
	}
	_ = os.RemoveAll(b.dir)
}
