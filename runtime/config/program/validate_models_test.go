package program

import (
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
)

// refuses checks that a config has one error, at a path and with a text.
func refuses(t *testing.T, c *config.Config, path, text string) {
	t.Helper()
	_, errs := Compile(c)
	if len(errs) != 1 || errs[0].Path != path || !strings.Contains(errs[0].Message, text) {
		t.Errorf("errors %v, want one at %s: …%s", errs, path, text)
	}
}

// Steps use the APIs that their upstream has.
func TestAPIsOfUpstreams(t *testing.T) {
	for _, tt := range []struct {
		apis       []string
		path, text string
	}{
		{[]string{config.APIChatCompletions, config.APIEmbeddings, "Chats"}, "upstreams[0].openAI.apis[2]", "is not an API"},
		{[]string{config.APIEmbeddings, config.APIChatCompletions, config.APIEmbeddings}, "upstreams[0].openAI.apis[2]", "twice"},
		{[]string{config.APIChatCompletions}, "routes[1].steps[0].embeddings.upstream", "Embeddings among its openAI.apis"},
	} {
		c := typed()
		c.Upstreams[0].OpenAI.APIs = tt.apis
		refuses(t, c, tt.path, tt.text)
	}
	c := valid()
	c.Upstreams[0].OpenAI.APIs = []string{config.APIEmbeddings}
	refuses(t, c, "routes[0].steps[0].chat.upstream", "ChatCompletions or Responses among")
}

func TestEditsOfUpstreams(t *testing.T) {
	for _, tt := range []struct {
		openAI     config.OpenAI
		path, text string
	}{
		{config.OpenAI{Omit: []string{"seed", "max_tokens"}}, "upstreams[0].openAI.omit[1]", "always sent"},
		{config.OpenAI{Omit: []string{"model"}}, "upstreams[0].openAI.omit[0]", "always sent"},
		{config.OpenAI{Omit: []string{"seed", "user", "seed"}}, "upstreams[0].openAI.omit[2]", "twice"},
		{config.OpenAI{Omit: []string{""}}, "upstreams[0].openAI.omit[0]", "is empty"},
		{config.OpenAI{Omit: strings.Split("abcdefghijklmnopq", "")}, "upstreams[0].openAI.omit", "at most 16"},
		{config.OpenAI{TokenLimit: "max_tokens"}, "upstreams[0].openAI.tokenLimit", "want one of MaxTokens, MaxCompletionTokens"},
	} {
		c := valid()
		tt.openAI.Model = "m"
		c.Upstreams[0].OpenAI = &tt.openAI
		refuses(t, c, tt.path, tt.text)
	}
}

// A budget needs the usage of a stream, which such an upstream is not asked for.
func TestBudgetsNeedUsageOfStreams(t *testing.T) {
	c := valid()
	c.Upstreams[0].OpenAI.Omit = []string{config.StreamOptions}
	c.Routes[0].Budget.MaxTokens = 100
	if _, errs := Compile(c); errs != nil {
		t.Error("a whole answer:", errs)
	}
	c.Routes[0].Response = &config.Response{Stream: "answer"}
	refuses(t, c, "routes[0].steps[0].chat.upstream", "omits stream_options")
	c.Routes[0].Budget.MaxTokens = 0
	if _, errs := Compile(c); errs != nil {
		t.Error("without a budget:", errs)
	}
}

// A comment is a write of its own, so that a stream does not get one each millisecond.
func TestKeepAliveHasALeast(t *testing.T) {
	for _, short := range []time.Duration{-1, time.Millisecond, config.MinKeepAlive - 1} {
		c := valid()
		c.Models[0].KeepAlive = config.Duration(short)
		refuses(t, c, "models[0].keepAlive", "want at least 1s")
		c = valid()
		c.Routes[0].Response = &config.Response{Stream: "answer", KeepAlive: config.Duration(short)}
		refuses(t, c, "routes[0].response.keepAlive", "want at least 1s")
	}
	c := valid()
	c.Models[0].KeepAlive = config.Duration(config.MinKeepAlive)
	c.Routes[0].Response = &config.Response{Stream: "answer", KeepAlive: config.Duration(config.MinKeepAlive)}
	if _, errs := Compile(c); errs != nil {
		t.Error(errs)
	}
}

func TestWeightsOfModels(t *testing.T) {
	two := func(weights ...config.Share) *config.Config {
		c := valid()
		other := c.Upstreams[0]
		other.Name = "slow"
		c.Upstreams = append(c.Upstreams, other)
		c.Models[0].Upstreams, c.Models[0].Weights = []string{"fast", "slow"}, weights
		return c
	}
	for _, tt := range []struct {
		weights    []config.Share
		path, text string
	}{
		{[]config.Share{{Upstream: "fast", Weight: 1}, {Upstream: "big", Weight: 1}}, "models[0].weights[1].upstream", "fast, slow"},
		{[]config.Share{{Upstream: "fast", Weight: 1}, {Upstream: "fast"}}, "models[0].weights[1].upstream", "another weight"},
		{[]config.Share{{Upstream: "fast", Weight: -1}, {Upstream: "slow", Weight: 2}}, "models[0].weights[0].weight", "from 0 to 1000"},
		{[]config.Share{{Upstream: "fast", Weight: config.MaxWeight + 1}}, "models[0].weights[0].weight", "from 0 to 1000"},
		{[]config.Share{{Upstream: "fast"}, {Upstream: "slow"}}, "models[0].weights", "one above 0"},
	} {
		refuses(t, two(tt.weights...), tt.path, tt.text)
	}
	if _, errs := Compile(two(config.Share{Upstream: "slow", Weight: config.MaxWeight})); errs != nil {
		t.Error(errs)
	}
}

// TestModelsOfRoutes: a model's route is one that a conversation alone can ask, and the answer of which is a text.
func TestModelsOfRoutes(t *testing.T) {
	routed := func(change func(c *config.Config)) *config.Config {
		c := valid()
		c.Routes[0].Request.Schema = []byte(`{"type":"object","required":["q"],"properties":{"q":{"type":"string"}}}`)
		c.Models = append(c.Models, config.Model{
			Name: "answers", Route: &config.ModelRoute{Path: "/answer", Body: []byte(`{"q":"${conversation.lastMessage}"}`)},
		})
		change(c)
		return c
	}
	body := func(text string) func(*config.Config) {
		return func(c *config.Config) { c.Models[1].Route.Body = []byte(text) }
	}
	for _, tt := range []struct {
		change     func(c *config.Config)
		path, text string
	}{
		{func(c *config.Config) { c.Models[1].Upstreams = []string{"fast"} }, "models[1]", "want one of them"},
		{func(c *config.Config) { c.Models[1].Route = nil }, "models[1].upstreams", "or a route"},
		{func(c *config.Config) { c.Models[1].Route.Path = "/ask" }, "models[1].route.path", "no route \"/ask\" with the method POST"},
		{func(c *config.Config) { c.Routes[0].Method = "PUT" }, "models[1].route.path", "with the method POST"},
		{func(c *config.Config) {
			c.Routes[0].Request.Parameters = []config.Parameter{{Name: "X-Tenant", In: config.InHeader, Required: true}}
		}, "models[1].route.path", "requires the parameter \"X-Tenant\""},
		{func(c *config.Config) {
			c.Routes[0].Path, c.Models[1].Route.Path = "/answer/{id}", "/answer/{id}"
			c.Routes[0].Request.Parameters = []config.Parameter{{Name: "id", In: config.InPath}}
		}, "models[1].route.path", "requires the parameter \"id\""},
		{func(c *config.Config) {
			c.Routes[0].Response = &config.Response{Events: &config.Events{Progress: true}}
		}, "models[1].route.path", "the route answers without stream and body"},
		{body(``), "models[1].route.body", "is required"},
		{body(`{"q":"${request.body}"}`), "models[1].route.body.q", "request"},
		{body(`{"q":"${conversation.first}"}`), "models[1].route.body.q", "first"},
		{body(`{"q":1}`), "models[1].route.body.q", "routes[0].request.schema never allows this value"},
		{body(`{"q":"${size(conversation.messages)}"}`), "models[1].route.body.q", "never allows this value"},
		{body(`{"question":"${conversation.lastMessage}"}`), "models[1].route.body.q", "never allows this value"},
	} {
		c := routed(tt.change)
		if tt.text == "is required" {
			c.Models[1].Route.Body = nil
		}
		refuses(t, c, tt.path, tt.text)
	}
	for text, reads := range map[string][2]bool{
		`{"q":"${conversation.lastMessage}"}`:          {true, false},
		`{"q":"${conversation.messages[0].content}"}`:  {false, true},
		`{"q":"${string(size(conversation.json()))}"}`: {true, true},
		`{"q":"none"}`: {false, false},
	} {
		p, errs := Compile(routed(body(text)))
		if errs != nil {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		if m := p.Models[0]; m.ReadsLast != reads[0] || m.ReadsMessages != reads[1] || m.AnsweredBy != p.Routes[0] {
			t.Errorf("%s: reads the last message %t, all messages %t", text, m.ReadsLast, m.ReadsMessages)
		}
	}
}
