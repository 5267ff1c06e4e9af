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
)

const (
	// patience bounds every wait; nothing depends on how long a wait is.
	patience = 30 * time.Second
	// haste is what upstreams that hang are given.
	haste = 300 * time.Millisecond
)

// The upstreams' names. The hasty are the same servers, with less patience.
const (
	first, second, tool                = "first", "second", "tool"
	hastyFirst, hastySecond, hastyTool = "hasty-first", "hasty-second", "hasty-tool"
)

// stage is a gateway with its upstreams.
type stage struct {
	gateway *gateway.Gateway
	ledger  *ledger
	address string
}

func start(t *testing.T) *stage {
	t.Helper()
	s := &stage{ledger: newLedger()}
	servers := map[string]*upstream{}
	for _, name := range []string{first, second, tool} {
		servers[name] = startUpstream(t, name, s.ledger)
	}
	dir := t.TempDir()
	encoded, err := config.Encode(service(servers))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.gateway, err = gateway.New(gateway.Options{
		ConfigDir: dir, SecretsDir: dir, Workers: 2, MaxStreamDuration: patience, Memory: 512 << 20,
		Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	s.run(t)
	return s
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
	s.address = listeners[0].Addr().String()
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
		u := at(servers[tool], prefix+tool, prefix != "")
		u.HTTP = &config.HTTP{}
		c.Upstreams = append(c.Upstreams, u)
		c.Models = append(c.Models,
			config.Model{Name: prefix + "one", Upstreams: []string{prefix + first}},
			config.Model{Name: prefix + "two", Upstreams: []string{prefix + first, second}})
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
	one := func(action config.Action) config.Step { return config.Step{Action: action} }
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
		{"stream", one(chat(prefix + first)), stream("OpenAI")},
		{"json", one(chat(prefix + first)), stream("JSON")},
		{"fallback", gather("Fallback", second), stream("JSON")},
		{"events", one(chat(prefix + first)), &config.Response{Events: &config.Events{Steps: []string{"s"}}, Body: []byte(`{}`)}},
		{"whole", one(chat(prefix + first)), whole("steps.s.text")},
		{"all", gather("All", prefix+second), whole("steps.s.a.text + steps.s.b.text")},
		{"tool", one(get), whole("steps.s.body.text")},
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
