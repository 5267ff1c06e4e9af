package program

import (
	"strings"
	"testing"

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
	c = valid()
	c.Models[0].KeepAlive = -1
	refuses(t, c, "models[0].keepAlive", "")
}
