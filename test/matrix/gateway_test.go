package matrix

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/test/leaks"
	"github.com/llmservice/llmservice/test/transcript"
	"github.com/llmservice/llmservice/test/variants"
)

const (
	// patience bounds every wait; nothing depends on how long a wait is.
	patience = 30 * time.Second
	// haste is what upstreams that hang are given.
	haste = time.Second
)

// The canaries, which reach upstreams and nobody else.
const (
	canaryKey    = "canary-key-9d27f0ab"
	canaryPrompt = "canary prompt 51c3ee"
)

// The upstreams' names. The hasty are the same servers, with less patience.
const (
	first, second, tool                = "first", "second", "tool"
	hastyFirst, hastySecond, hastyTool = "hasty-first", "hasty-second", "hasty-tool"
)

// stage is a gateway with its upstreams.
type stage struct {
	gateway        *gateway.Gateway
	ledger         *ledger
	logs           *transcript.Buffer
	address, admin string
}

func start(t *testing.T, v variants.Variant) *stage {
	t.Helper()
	s := &stage{ledger: newLedger(), logs: &transcript.Buffer{}}
	servers := map[string]*upstream{}
	for _, name := range []string{first, second, tool} {
		servers[name] = startUpstream(t, name, s.ledger)
	}
	dir := t.TempDir()
	encoded, err := config.Encode(service(servers))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, delivery.CurrentKey), encoded)
	write(t, filepath.Join(dir, "keys", "key"), []byte(canaryKey))
	if s.gateway, err = gateway.New(gateway.Options{
		ConfigDir: dir, SecretsDir: dir, Workers: 2, Engine: v.Engine, UpstreamClient: v.Client, MaxStreamDuration: patience, Memory: 2 << 30,
		Logger: slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}); err != nil {
		t.Fatal(err)
	}
	s.run(t)
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

// keepsQuiet looks for the key and the prompt wherever the gateway says something of itself: the upstreams have repeated both.
func (s *stage) keepsQuiet(t *testing.T) {
	t.Helper()
	found, err := leaks.Of(t.Context(), s.logs.String(), "http://"+s.address, "http://"+s.admin, canaryKey, canaryPrompt)
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range found {
		t.Error(leak)
	}
}

func (s *stage) run(t *testing.T) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	s.address, s.admin = listeners[0].Addr().String(), listeners[1].Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Run(ctx, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	deadline := time.Now().Add(patience)
	for s.gateway.Status().Revision == "" {
		if status := s.gateway.Status(); time.Now().After(deadline) {
			t.Fatalf("no config is served: %+v", status)
		}
		time.Sleep(time.Millisecond)
	}
}

// service has a path of each kind, over upstreams that are patient and over the same ones in haste.
func service(servers map[string]*upstream) *config.Config {
	c := &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "matrix", Namespace: "tests"},
		Runtime: config.Runtime{MaxInFlight: 1000},
	}
	for _, prefix := range []string{"", "hasty-"} {
		for _, name := range []string{first, second} {
			u := at(servers[name], prefix+name, prefix != "")
			u.OpenAI = &config.OpenAI{Model: name}
			c.Upstreams = append(c.Upstreams, u)
		}
		for name, apis := range map[string][]string{"full": config.APIs, "answers": {config.APIResponses}} {
			u := at(servers[first], prefix+name, prefix != "")
			u.OpenAI = &config.OpenAI{Model: name, APIs: apis}
			c.Upstreams = append(c.Upstreams, u)
			c.Models = append(c.Models, config.Model{Name: prefix + name, Upstreams: []string{prefix + name}})
		}
		u := at(servers[tool], prefix+tool, prefix != "")
		u.HTTP = &config.HTTP{}
		c.Upstreams = append(c.Upstreams, u)
		c.Models = append(c.Models,
			config.Model{Name: prefix + "one", Upstreams: []string{prefix + first}},
			config.Model{Name: prefix + "two", Upstreams: []string{prefix + first, second}},
			config.Model{Name: prefix + "routed", Route: &config.ModelRoute{
				Path: "/" + prefix + "stream", Body: []byte(`{"ask":"${conversation.lastMessage}"}`),
			}})
		c.Routes = append(c.Routes, routes(prefix)...)
	}
	return c
}

func at(server *upstream, name string, hasty bool) config.Upstream {
	wait := config.Duration(patience)
	if hasty {
		wait = config.Duration(haste)
	}
	path := "/v1"
	if server.name == tool {
		path = ""
	}
	return config.Upstream{
		Name: name, Endpoints: []config.Endpoint{{URL: "http://" + server.address + path}},
		Auth:     &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: "key"}},
		Timeouts: config.Timeouts{Connect: config.Duration(patience), FirstToken: wait, Idle: wait, Total: wait},
	}
}

func routes(prefix string) []config.Route {
	chat := func(upstream string) config.Action {
		return config.Action{Chat: &config.Chat{Upstream: upstream, Messages: []config.Message{{Role: "user", Content: "${request.body.ask}"}}}}
	}
	gather := func(strategy, to string) config.Step {
		return config.Step{Gather: &config.Gather{Strategy: strategy, Branches: []config.Branch{
			{Name: "a", Action: chat(prefix + first)}, {Name: "b", Action: chat(to)},
		}}}
	}
	step := func(action config.Action) config.Step { return config.Step{Action: action} }
	get := config.Action{HTTP: &config.HTTPCall{Upstream: prefix + tool, Method: "GET", Path: "/${request.body.ask}"}}
	whole := func(text string) *config.Response {
		return &config.Response{Body: []byte(fmt.Sprintf(`{"text":"${%s}"}`, text))}
	}
	stream := func(format string) *config.Response { return &config.Response{Stream: "s", Format: format} }
	var routes []config.Route
	for _, r := range []struct {
		path     string
		step     config.Step
		response *config.Response
	}{
		{"stream", step(chat(prefix + first)), stream("OpenAI")},
		{"answers", step(chat(prefix + "answers")), stream("OpenAI")},
		{"json", step(chat(prefix + first)), stream("JSON")},
		{"fallback", gather("Fallback", second), stream("JSON")},
		{"events", step(chat(prefix + first)), &config.Response{Events: &config.Events{Steps: []string{"s"}}, Body: []byte(`{}`)}},
		{"whole", step(chat(prefix + first)), whole("steps.s.text")},
		{"all", gather("All", prefix+second), whole("steps.s.a.text + steps.s.b.text")},
		{"tool", step(get), whole("steps.s.body.text")},
	} {
		r.step.Name = "s"
		routes = append(routes, config.Route{
			Path: "/" + prefix + r.path, Method: "POST", Timeout: config.Duration(patience),
			Budget:  config.Budget{MaxCalls: 16, MaxBytes: 32 << 20},
			Request: &config.Request{Schema: []byte(`{"type":"object","required":["ask"],"properties":{"ask":{"type":"string"}}}`)},
			Steps:   []config.Step{r.step}, Response: r.response,
		})
	}
	return routes
}
