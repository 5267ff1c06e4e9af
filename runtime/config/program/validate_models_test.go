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
