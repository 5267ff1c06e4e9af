package program

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// What looks like a template and is none is refused with the way to write it, also where something else is wrong with it.
func TestLiteralsThatLookLikeTemplates(t *testing.T) {
	for _, tt := range []struct {
		path, want string
		change     func(*config.Config)
	}{
		{"upstreams[0].openAI.model", "declare an upstream for each", func(c *config.Config) { c.Upstreams[0].OpenAI.Model = "${request.body.model}" }},
		{"upstreams[0].headers[0].value", "secretKeyRef: {name: NAME, key: KEY}", func(c *config.Config) {
			c.Upstreams[0].Headers = []config.NamedValue{{Name: "X-Tenant", Value: "{{ .Values.tenant }}"}}
		}},
		{"upstreams[0].endpoints[0].url", "write the value itself", func(c *config.Config) { c.Upstreams[0].Endpoints[0].URL = "http://${request.body.host}" }},
		{"routes[1].summary", "contains {{", func(c *config.Config) { c.Routes[1].Summary = "Ask {{ name }}" }},
		{"routes[1].steps[0].embeddings.upstream", "in its upstreams, such as upstreams: [BIG, SMALL]", func(c *config.Config) {
			c.Routes[1].Steps[0].Embeddings.Upstream = "${request.params.q}"
		}},
		{"routes[1].steps[1].forEach.do.call.function", "such as function: NAME", func(c *config.Config) {
			c.Routes[1].Steps[1].ForEach.Do.Call.Function = "{{ f }}"
		}},
		{"routes[1].request.schema.properties.topic.default", "a schema has no templates", func(c *config.Config) {
			c.Routes[1].Request.Schema = []byte(`{"type":"object","required":["texts","tone"],"properties":{"tone":{"type":"string"},"texts":{"type":"array","items":{"type":"string"}},` +
				`"topic":{"type":"string","default":"${request.path}"}}}`)
		}},
		{"routes[1].steps[7].chat.messages[0].content", "{{request is text, not an expression: write ${request…}", func(c *config.Config) {
			c.Routes[1].Steps[7].Chat.Messages = []config.Message{{Role: "user", Content: "Say {{request.body.topic}}"}}
		}},
		{"routes[1].response.body.a", "write ${steps…}", func(c *config.Config) { c.Routes[1].Response.Body = []byte(`{"a":"{{ steps.last.text }}"}`) }},
	} {
		c := typed()
		tt.change(c)
		errs := Validate(c)
		if len(errs) != 1 || errs[0].Path != tt.path || !strings.Contains(errs[0].Message, tt.want) {
			t.Errorf("%s: %q, want %q", tt.path, errs, tt.want)
		}
	}
}

// Patterns and descriptions may contain anything, and so may text that reads no variable.
func TestLiteralsThatAreNotTemplates(t *testing.T) {
	c := typed()
	c.Routes[1].Request.Schema = []byte(`{"type":"object","required":["topic","texts"],"description":"${x}","properties":{
		"topic":{"type":"string","pattern":"^\\$\\{"},"tone":{"type":"string","default":"{{tone}}"},"default":{"description":"${x}"},
		"texts":{"type":"array","items":{"type":"string"}}}}`)
	c.Routes[1].Steps[7].Chat.Messages = []config.Message{
		{Role: "user", Content: `Fill in {{name}} and {{ .Values.x }}, then $${x} and ${"{{"}request.body}}`},
	}
	if errs := Validate(c); len(errs) > 0 {
		t.Error(errs)
	}
}

// A config with other mistakes has enough of them: fields that were not reached are not known to be templates or none.
func TestLiteralsOfAWrongConfig(t *testing.T) {
	c := typed()
	c.Routes[1].Summary = "${x}"
	c.Routes[1].Steps[7].Chat.Messages[0] = config.Message{Role: "user", Content: "${request.body.topic}", History: "${[]}"}
	if errs := Validate(c); len(errs) != 1 || !strings.Contains(errs[0].Message, "both history and a role") {
		t.Error(errs)
	}
}
