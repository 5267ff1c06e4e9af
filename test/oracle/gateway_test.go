package oracle

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/scenario/samples"
)

// startModel runs a scripted model and returns its base URL. Each side has one of its own, so that neither sees what
// the other's requests leave behind.
func startModel(t *testing.T) string {
	t.Helper()
	mock := mockllm.New(mockllm.Options{})
	server := httptest.NewServer(mock)
	t.Cleanup(func() {
		mock.Close()
		server.Close()
	})
	return server.URL + "/v1"
}

// startGateway serves a manifest as `kubectl llmservice dev` would, over the model at modelURL, and returns the
// gateway's address.
func startGateway(t *testing.T, file, modelURL string) string {
	t.Helper()
	dir, secrets := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), contract(t, file, modelURL), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(secrets, samples.SecretName), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secrets, samples.SecretName, samples.SecretKey), []byte("sk-any"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		ConfigDir: dir, SecretsDir: secrets, Workers: 2, MaxStreamDuration: patience,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	api, admin := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.Run(ctx, api, admin); err != nil {
			t.Errorf("the gateway: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	awaitReady(t, g)
	return api.Addr().String()
}

// contract is the config of a manifest whose models are at modelURL, and whose other services are next to them.
func contract(t *testing.T, file, modelURL string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	service, err := manifest.Load(t.Context(), raw)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for i := range c.Upstreams {
		url := modelURL
		if c.Upstreams[i].HTTP != nil {
			url = strings.TrimSuffix(modelURL, "/v1") + mockllm.ServicePath
		}
		c.Upstreams[i].Endpoints = []config.Endpoint{{URL: url}}
	}
	if errs := program.Validate(c); len(errs) > 0 {
		t.Fatalf("%s: %v", file, errs)
	}
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var listeners net.ListenConfig
	l, err := listeners.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func awaitReady(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for g.Status().Revision == "" {
		if g.Status().Rejected != nil || time.Now().After(deadline) {
			t.Fatalf("the gateway does not serve: %+v", g.Status().Rejected)
		}
		time.Sleep(time.Millisecond)
	}
}

// document is the OpenAPI document that a side serves.
func document(t *testing.T, address string) map[string]any {
	t.Helper()
	got, err := ask(t.Context(), address, &request{name: "openapi", method: http.MethodGet, target: "/openapi.json"})
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("%s/openapi.json: %+v, %v", address, got, err)
	}
	value, err := decode(got.body)
	if err != nil {
		t.Fatalf("%s/openapi.json: %v", address, err)
	}
	doc, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("%s/openapi.json is no object", address)
	}
	return doc
}
