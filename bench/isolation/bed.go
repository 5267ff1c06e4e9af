package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
	"github.com/llmservice/llmservice/runtime/config"
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

// bench is a gateway before a scripted model.
type bench struct {
	settings settings
	model    *mockllm.Server
	upstream *httptest.Server
	gateway  *bed.Server
	dir      string
	url      string
	client   *http.Client
	body     []byte
}

func newBench(ctx context.Context, s settings) (b *bench, err error) {
	connections := &http.Transport{MaxIdleConnsPerHost: s.streams + s.busy}
	b = &bench{settings: s, body: largeBody(), client: &http.Client{Transport: connections}}
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
	return b, b.start(ctx)
}

func (b *bench) config() *config.Config {
	bound := config.Duration(time.Minute)
	return &config.Config{
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
}

// start builds the gateway and waits until it is ready.
func (b *bench) start(ctx context.Context) error {
	program, err := bed.BuildGateway(ctx, b.dir)
	if err != nil {
		return err
	}
	gateway, at, err := program.StartGateway(ctx, bed.Gateway{Dir: b.dir, Config: b.config(), Workers: 2})
	b.gateway, b.url = gateway, "http://"+at.API
	return err
}

func (b *bench) close() {
	b.gateway.Close()
	if b.upstream != nil {
		b.model.Close()
		b.upstream.Close()
	}
	_ = os.RemoveAll(b.dir)
}
