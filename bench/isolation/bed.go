package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/test/mockllm"
)

// hard takes long to check: each of many objects is held against several forms, and against all others.
const hard = `{
  "type": "array", "minItems": 1,
  "items": {
    "oneOf": [
      {"required": ["kind", "text"], "properties": {"kind": {"const": "a"}, "text": {"pattern": "^[a-z ]+$"}}},
      {"required": ["kind", "text"], "properties": {"kind": {"const": "b"}, "text": {"pattern": "^([a-z]+ ?)+$"}}},
      {"required": ["kind", "text"], "properties": {"kind": {"const": "c"}, "text": {"maxLength": 80}}}
    ]
  }
}`

// bed is a gateway before a scripted model.
type bed struct {
	settings settings
	model    *mockllm.Server
	upstream *httptest.Server
	gateway  *exec.Cmd
	dir      string
	url      string
	client   *http.Client
	body     []byte
}

func newBed(ctx context.Context, s settings) (b *bed, err error) {
	b = &bed{settings: s, body: largeBody(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.streams + s.busy}}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	tokens := int(s.duration/s.pace) + 1
	b.model = mockllm.New(mockllm.Options{Defaults: mockllm.Script{Tokens: tokens, TokenDelay: mockllm.Duration(s.pace)}})
	b.upstream = httptest.NewServer(b.model)
	if b.dir, err = os.MkdirTemp("", "isolation"); err != nil {
		return b, fmt.Errorf("make a directory: %w", err)
	}
	if err := b.writeConfig(); err != nil {
		return b, err
	}
	return b, b.start(ctx)
}

func (b *bed) writeConfig() error {
	bound := config.Duration(time.Minute)
	c := &config.Config{
		Version: config.Version, Service: config.Service{Name: "isolation"}, Runtime: config.Runtime{MaxInFlight: 500},
		Upstreams: []config.Upstream{{
			Name: "model", OpenAI: &config.OpenAI{Model: "m"}, Endpoints: []config.Endpoint{{URL: b.upstream.URL + "/v1"}},
			Timeouts: config.Timeouts{Connect: bound, FirstToken: bound, Idle: bound, Total: bound},
		}},
		Routes: []config.Route{
			{
				Path: "/stream", Method: http.MethodPost, Timeout: bound, Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20},
				Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{
					Upstream: "model", Messages: []config.Message{{Role: "user", Content: "go on"}},
				}}}},
				Response: &config.Response{Stream: "answer", Format: "Text"},
			},
			{
				Path: "/check", Method: http.MethodPost, Timeout: bound, Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20},
				Request: &config.Request{Schema: []byte(hard)}, Response: &config.Response{Body: []byte(`"${size(request.body)}"`)},
			},
		},
	}
	encoded, err := config.Encode(c)
	if err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	if _, err := program.Load(encoded); err != nil {
		return fmt.Errorf("the config of this benchmark: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	return nil
}

// start builds the gateway and waits until it is ready.
func (b *bed) start(ctx context.Context) error {
	binary := filepath.Join(b.dir, "gateway")
	//nolint:gosec // the directory is our own
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/llmservice/llmservice/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the gateway: %w: %s", err, out)
	}
	api, admin, err := freePorts(ctx)
	if err != nil {
		return err
	}
	b.url = "http://" + api
	//nolint:gosec // the binary has just been built
	b.gateway = exec.CommandContext(ctx, binary, "-listen", api, "-admin-listen", admin, "-config-dir", b.dir, "-workers", "2",
		"-drain-delay", "0s", "-log-level", "error")
	b.gateway.Stderr = os.Stderr
	if err := b.gateway.Start(); err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	return b.ready(ctx, "http://"+admin+"/readyz")
}

func freePorts(ctx context.Context) (api, admin string, err error) {
	var addresses []string
	for range 2 {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("find a port: %w", err)
		}
		defer func() { _ = l.Close() }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses[0], addresses[1], nil
}

func (b *bed) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("ask whether the gateway is ready: %w", err)
		}
		if answer, err := b.client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gateway is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (b *bed) close() {
	if b.gateway != nil && b.gateway.Process != nil {
		_ = b.gateway.Process.Kill()
		_ = b.gateway.Wait()
	}
	if b.upstream != nil {
		b.model.Close()
		b.upstream.Close()
	}
	_ = os.RemoveAll(b.dir)
}
