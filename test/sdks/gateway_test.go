package sdks

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/transcript"
	"github.com/llmservice/llmservice/test/variants"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience bounds every wait; nothing depends on how long a wait is.
	patience = time.Minute
	// bodyLimit is that of a request, in bytes.
	bodyLimit = 64 << 10
	// key is what the upstreams want to see.
	key = "sk-canary-7c1e0a94d2"
)

// The models: one whose upstream has every API, and one for each API that others are translated to.
const (
	full    = "full"
	chats   = "team/chats" // a name of two segments
	answers = "answers"
	locked  = "locked" // its upstream refuses the gateway's key
	narrow  = "narrow" // its upstream may have one call
)

// stage is a gateway with a scripted model behind it.
type stage struct {
	mock       *mockllm.Server
	url, admin string // of the gateway
	logs       *transcript.Buffer
	stop       context.CancelFunc
}

// start starts one whose streams, and whose drain, may take so long.
func start(t *testing.T, longest time.Duration) *stage {
	t.Helper()
	s := &stage{mock: mockllm.New(mockllm.Options{APIKey: key}), logs: &transcript.Buffer{}}
	upstream := httptest.NewServer(s.mock)
	t.Cleanup(func() {
		s.mock.Close()
		upstream.Close()
	})
	dir := t.TempDir()
	encoded, err := config.Encode(service(upstream.URL + "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, delivery.CurrentKey), encoded)
	for name, value := range map[string]string{"right": key, "wrong": key + "-old"} {
		write(t, filepath.Join(dir, "secrets", "keys", name), []byte(value))
	}
	v := variants.Of(t)
	g, err := gateway.New(gateway.Options{
		Engine: v.Engine, UpstreamClient: v.Client, ConfigDir: dir, SecretsDir: filepath.Join(dir, "secrets"), Workers: 2, MaxStreamDuration: longest, Memory: 512 << 20,
		Logger: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, g)
	return s
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) run(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	s.url, s.admin = "http://"+listeners[0].Addr().String(), "http://"+listeners[1].Addr().String()
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		s.stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	deadline := time.Now().Add(patience)
	for g.Status().Revision == "" {
		if time.Now().After(deadline) {
			t.Fatalf("no config is served: %+v", g.Status().Rejected)
		}
		time.Sleep(time.Millisecond)
	}
}

// service has the models, each with an upstream of its own.
func service(url string) *config.Config {
	c := &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "sdks", Namespace: "tests"},
		Runtime: config.Runtime{MaxInFlight: 100, RequestBodyLimit: bodyLimit},
	}
	for _, m := range []struct {
		name, upstream, key string
		apis                []string
	}{
		{full, "full", "right", config.APIs},
		{chats, "chats", "right", []string{config.APIChatCompletions}},
		{answers, "answers", "right", []string{config.APIResponses}},
		{locked, "locked", "wrong", config.APIs},
		{narrow, "narrow", "right", config.APIs},
	} {
		c.Upstreams = append(c.Upstreams, config.Upstream{
			Name: m.upstream, Endpoints: []config.Endpoint{{URL: url}}, OpenAI: &config.OpenAI{Model: realName(m.name), APIs: m.apis},
			Auth: &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: m.key}},
			Timeouts: config.Timeouts{
				Connect: config.Duration(patience), FirstToken: config.Duration(patience), Idle: config.Duration(patience), Total: config.Duration(patience),
			},
		})
		c.Models = append(c.Models, config.Model{Name: m.name, Upstreams: []string{m.upstream}})
		if m.name == narrow {
			u := &c.Upstreams[len(c.Upstreams)-1]
			u.MaxInFlight, u.Queue = 1, &config.Queue{Depth: 1, Timeout: config.Duration(time.Millisecond)}
		}
	}
	return c
}

// realName is the upstream's own name of a model.
func realName(model string) string { return "the-real-" + model }
