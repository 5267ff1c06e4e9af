package samples

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/test/mockllm"
)

const root = "../../.."

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSamples serves each sample as `kubectl llmservice dev` would, and checks what it is there to show.
func TestSamples(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if err := s.Check(t.Context(), serve(t, s)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSampleForEachManifest: a manifest that nothing checks would be left out by kustomize, too.
func TestSampleForEachManifest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, Dir, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, s := range All() {
		files = append(files, filepath.Base(s.File()))
	}
	if !slices.Equal(files, kustomization.Resources) {
		t.Errorf("checked are %v, listed %v", files, kustomization.Resources)
	}
}

// TestSupportIsShort: it stands for a service that was ported without a trick, which is a matter of lines, too.
func TestSupportIsShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, Dir, "support.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 80 {
		t.Errorf("it has %d lines, want at most 80", lines)
	}
}

// Where searches fail, the model is told that nothing was found, and the page goes without recommendations.
func TestSamplesDoWithout(t *testing.T) {
	const nowhere = "/nowhere"
	t.Run("rag, one search", func(t *testing.T) {
		p := serve(t, Sample{Name: "rag", upstreams: map[string]string{"llm": model, "docs": nowhere, "wiki": web}})
		text, err := p.ragAnswer(t.Context())
		if err != nil || !strings.Contains(text, "An article about foxes.") || strings.Contains(text, "Document 1") {
			t.Errorf("the model is told %q, %v", text, err)
		}
	})
	t.Run("rag, no search", func(t *testing.T) {
		p := serve(t, Sample{Name: "rag", upstreams: map[string]string{"llm": model, "docs": nowhere, "wiki": nowhere}})
		if text, err := p.ragAnswer(t.Context()); err != nil || !strings.Contains(text, "(nothing was found)") {
			t.Errorf("the model is told %q, %v", text, err)
		}
	})
	t.Run("gather, no recommendations", func(t *testing.T) {
		p := serve(t, Sample{Name: "gather", upstreams: map[string]string{"shop": echo, "recommender": nowhere}})
		status, answer, err := p.ask(t.Context(), http.MethodGet, "/users/7/home", nil)
		if list, is := answer["recommendations"].([]any); err != nil || status != http.StatusOK || !is || len(list) > 0 {
			t.Errorf("%d %v, %v", status, answer, err)
		}
	})
	t.Run("gather, no shop", func(t *testing.T) {
		p := serve(t, Sample{Name: "gather", upstreams: map[string]string{"shop": nowhere, "recommender": echo}})
		if status, answer, err := p.ask(t.Context(), http.MethodGet, "/users/7/home", nil); err != nil || status/100 == 2 {
			t.Errorf("%d %v, %v", status, answer, err)
		}
	})
}

// serve runs a gateway on loopback with the sample's config, and a mock that plays its upstreams.
func serve(t *testing.T, s Sample) *Place {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, s.File()))
	if err != nil {
		t.Fatal(err)
	}
	return serveManifest(t, s, raw)
}

// serveManifest is serve for a manifest that is in no file.
func serveManifest(t *testing.T, s Sample, raw []byte) *Place {
	t.Helper()
	mock := mockllm.New(mockllm.Options{})
	upstream := httptest.NewServer(mock)
	t.Cleanup(func() {
		mock.Close()
		upstream.Close()
	})
	configs, secrets := t.TempDir(), t.TempDir()
	write(t, filepath.Join(configs, delivery.CurrentKey), contract(t, s, raw, upstream.URL))
	if err := os.Mkdir(filepath.Join(secrets, SecretName), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(secrets, SecretName, SecretKey), []byte("sk-any"))
	g, err := gateway.New(gateway.Options{
		ConfigDir: configs, SecretsDir: secrets, Workers: 2, MaxStreamDuration: within,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Place{
		URL:   "http://" + run(t, g),
		Stats: func(context.Context) (mockllm.Stats, error) { return mock.Stats(), nil },
	}
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// contract is the config that an operator would deliver, with the mock for upstreams.
func contract(t *testing.T, s Sample, raw []byte, mock string) []byte {
	t.Helper()
	service, err := manifest.Load(t.Context(), raw)
	if err != nil {
		t.Fatalf("%s: %v", s.File(), err)
	}
	if service.Name != s.Name {
		t.Errorf("%s is called %q", s.File(), service.Name)
	}
	if err := s.CallMock(service, mock); err != nil {
		t.Fatal(err)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatalf("%s: %v", s.File(), err)
	}
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// run serves until the test ends, and returns the address once the config is served.
func run(t *testing.T, g *gateway.Gateway) string {
	t.Helper()
	api, admin := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, api, admin) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway: %v", err)
		}
	})
	for deadline := time.Now().Add(within); g.Status().Revision == ""; time.Sleep(time.Millisecond) {
		if g.Status().Rejected != nil || time.Now().After(deadline) {
			t.Fatalf("the config is not served: %+v", g.Status().Rejected)
		}
	}
	return api.Addr().String()
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
