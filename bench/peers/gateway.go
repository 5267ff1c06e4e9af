package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
	"github.com/llmservice/llmservice/bench/peers/load"
	"github.com/llmservice/llmservice/runtime/config"
)

// ours is this gateway, which has been built.
type ours struct {
	program bed.Program
	commit  string
}

// The engines and the clients of upstreams, the fastest of both first.
var (
	engines = []string{"http1", "nethttp"}
	clients = []string{"own", "nethttp"}
)

// The rows to which ratios are computed.
const (
	outside   = "HAProxy"
	reference = "gateway /v1 (http1, own)"
)

// peers are the gateway in each way to run it.
func (o *ours) peers() (all []peer) {
	for _, engine := range engines {
		for _, client := range clients {
			for _, api := range []string{"/v1", "typed"} {
				all = append(all, o.peer(fmt.Sprintf("gateway %s (%s, %s)", api, engine, client), engine, client, api == "typed"))
			}
		}
	}
	return all
}

func (o *ours) peer(name, engine, client string, typed bool) peer {
	admin := new(string)
	return peer{
		name: name, typed: typed, admin: admin,
		about: func(context.Context) (string, error) { return "commit " + o.commit, nil },
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			cmd, at, err := o.program.Command(ctx, bed.Gateway{
				Dir: p.dir, Config: gatewayConfig(p.upstream), Workers: 1, Listen: p.address,
				Flags: []string{"-engine", engine, "-upstream-client", client, "-profiling"},
			})
			*admin = at.Admin
			return cmd, err
		},
	}
}

// routes are as many as a config of this measurement has, because they cost time when a gateway starts.
const routes = 50

const question = `{
  "type": "object", "required": ["question"], "additionalProperties": false,
  "properties": {"question": {"type": "string", "minLength": 1, "maxLength": 200000}}
}`

const answer = `{
  "type": "object", "required": ["answer", "finish_reason"],
  "properties": {"answer": {"type": "string"}, "finish_reason": {"enum": ["stop", "length"]}}
}`

// gatewayConfig has the models under /v1, and typed routes with schemas and templates.
func gatewayConfig(upstream string) *config.Config {
	c := &config.Config{Version: config.Version, Service: config.Service{Name: "bench"}, Runtime: config.Runtime{MaxInFlight: 4000}}
	bound := config.Duration(time.Minute)
	for _, model := range []string{load.Whole, load.Paced, load.Brief, load.Held} {
		c.Upstreams = append(c.Upstreams, config.Upstream{
			Name: model, OpenAI: &config.OpenAI{Model: model}, Endpoints: []config.Endpoint{{URL: "http://" + upstream + "/v1"}},
			Timeouts: config.Timeouts{Connect: bound, FirstToken: bound, Idle: 5 * bound, Total: bound},
		})
		c.Models = append(c.Models, config.Model{Name: model, Upstreams: []string{model}})
	}
	c.Routes = []config.Route{
		whole("/answer"), streamed("/stream", load.Paced), streamed("/brief", load.Brief), streamed("/hold", load.Held),
	}
	for i := len(c.Routes); i < routes; i++ {
		c.Routes = append(c.Routes, whole(fmt.Sprintf("/answer-%d", i)))
	}
	return c
}

func whole(path string) config.Route {
	r := route(path, load.Whole)
	r.Response = &config.Response{
		Schema: []byte(answer),
		Body:   []byte(`{"answer": "${steps.answer.text}", "finish_reason": "${steps.answer.finishReason}"}`),
	}
	return r
}

func streamed(path, model string) config.Route {
	r := route(path, model)
	r.Response = &config.Response{Stream: "answer"}
	return r
}

func route(path, model string) config.Route {
	return config.Route{
		Path: path, Method: http.MethodPost, Timeout: config.Duration(time.Minute), Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20},
		Request: &config.Request{Schema: []byte(question)},
		Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{Upstream: model, Messages: []config.Message{
			{Role: "system", Content: "Answer in one sentence."},
			{Role: "user", Content: "Question: ${request.body.question}"},
		}}}}},
	}
}
