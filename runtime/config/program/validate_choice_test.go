package program

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// choosing is a config whose route chooses its upstreams: each kind of step that has one.
func choosing() *config.Config {
	c := typed()
	for _, name := range []string{"big", "small"} {
		u := c.Upstreams[0]
		u.Name = name
		c.Upstreams = append(c.Upstreams, u)
	}
	r := &c.Routes[1]
	r.Request.Schema = []byte(`{"type":"object","required":["topic","texts","model"],"properties":{"topic":{"type":"string"},"tone":{"type":"string"},
		"texts":{"type":"array","items":{"type":"string"}},"model":{"enum":["big","small"]},"any":{"enum":["big","other"],"default":"big"},
		"deep":{"type":"object","required":["model"],"properties":{"model":{"$ref":"#/$defs/model"}}}},"$defs":{"model":{"enum":["big","small","huge"]}}}`)
	both := func() []string { return []string{"big", "small"} }
	r.Steps[0].Embeddings.Upstream, r.Steps[0].Embeddings.Upstreams = "${request.body.model}", both()
	r.Steps[5].Agent.Upstream, r.Steps[5].Agent.Upstreams = "${steps.note.n > 3 ? 'big' : 'small'}", both()
	r.Steps[7].Chat.Upstream, r.Steps[7].Chat.Upstreams = "${request.body.topic}", both() // which only a request shows
	c.Functions[1].Steps[0].HTTP.Upstream, c.Functions[1].Steps[0].HTTP.Upstreams = "${input.n > 3 ? 'search' : 'search'}", []string{"search"}
	return c
}

func TestChoicesAreAccepted(t *testing.T) {
	p, errs := Compile(choosing())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	last, ok := p.Routes[1].Steps[7].Work.(*Chat)
	if !ok || last.Choice == nil {
		t.Error("the choice is lost")
	}
}

// Each name that may be chosen is checked as a name that stands alone is, and the expression as far as it says what it returns.
func TestChoicesAreRefused(t *testing.T) {
	chat := func(upstream string, among ...string) func(*config.Config) {
		return func(c *config.Config) {
			s := c.Routes[1].Steps[7].Chat
			s.Upstream, s.Upstreams = upstream, among
		}
	}
	output := &config.Output{Schema: []byte(`{"type":"object","required":["tier"],"properties":{"tier":{"enum":["big","tiny"]}}}`)}
	for _, tt := range []struct {
		path, want string
		change     func(*config.Config)
	}{
		{"routes[1].steps[7].chat.upstreams[1]", `there is no upstream "none"`, chat("${request.body.model}", "big", "none", "small")},
		{"routes[1].steps[7].chat.upstreams[1]", "plain HTTP service", chat("${request.body.topic}", "big", "search")},
		{"routes[1].steps[7].chat.upstreams[1]", "listed twice", chat("${request.body.topic}", "big", "big")},
		{"routes[1].steps[7].chat.upstream", "want exactly one expression", chat("big", "big", "small")},
		{"routes[1].steps[7].chat.upstream", "want exactly one expression", chat("${request.body.topic}-1", "big", "small")},
		{"routes[1].steps[7].chat.upstream", "returns int, want string", chat("${request.params.id}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", "may be missing", chat("${request.params.q}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", "undefined field", chat("${steps.last.text}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "huge", which is not one of upstreams, want big, small`, chat("${'huge'}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "tiny"`, chat("${request.params.id > 3 ? 'big' : 'tiny'}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "tiny"`, chat("${request.params.q.orValue('tiny')}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "small"`, chat("${request.body.model}", "big")},
		{"routes[1].steps[7].chat.upstream", `may return "other"`, chat("${request.params.id > 3 ? request.body.any : 'small'}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "huge"`, chat("${request.body.deep.model.orValue('big')}", "big", "small")},
		{"routes[1].steps[7].chat.upstream", `may return "tiny"`, func(c *config.Config) {
			chat("${steps.each.output.tier}", "big", "small")(c)
			c.Routes[1].Steps[1] = config.Step{Name: "each", Action: config.Action{Chat: ask("x")}}
			c.Routes[1].Steps[1].Chat.Output = output
			c.Routes[1].Steps[4].Set.Value = []byte(`{"n":1}`)
		}},
		{"routes[1].steps[7].chat.upstream", `may return "tiny"`, func(c *config.Config) {
			chat("${steps.both.?guess.?output.?tier.orValue('big')}", "big", "small")(c)
			c.Routes[1].Steps[2].Gather.Branches[1].Chat.Output = output
		}},
		{"routes[1].steps[7].chat.upstream", `may return "x"`, func(c *config.Config) {
			chat("${request.params['X-Tenant']}", "big", "small")(c)
			c.Routes[1].Request.Parameters[2].Schema = []byte(`{"enum":["x"]}`)
		}},
		{"functions[0].steps[0].chat.upstream", `may return "never"`, func(c *config.Config) {
			c.Functions[0].Input = []byte(`{"type":"object","properties":{"text":{"type":"string"},"tier":{"enum":["big","never"],"default":"big"}},"required":["text"]}`)
			c.Functions[0].Steps[0].Chat.Upstream, c.Functions[0].Steps[0].Chat.Upstreams = "${input.tier}", []string{"big"}
		}},
		{"functions[1].steps[0].http.upstreams[0]", "has a model", func(c *config.Config) {
			c.Functions[1].Steps[0].HTTP.Upstreams = []string{"big", "search"}
		}},
		{"routes[1].steps[0].embeddings.upstreams[0]", "does not have Embeddings", func(c *config.Config) {
			c.Upstreams[len(c.Upstreams)-2].OpenAI = &config.OpenAI{Model: "m", APIs: []string{config.APIChatCompletions}}
		}},
		{"routes[1].steps[5].agent.upstreams[1]", "there is no upstream", func(c *config.Config) {
			c.Routes[1].Steps[5].Agent.Upstreams[1] = "none"
			c.Routes[1].Steps[5].Agent.Upstream = "${request.body.topic}"
		}},
	} {
		c := choosing()
		tt.change(c)
		errs := Validate(c)
		if len(errs) != 1 || errs[0].Path != tt.path || !strings.Contains(errs[0].Message, tt.want) {
			t.Errorf("got %q\nwant %s: %q", errs, tt.path, tt.want)
		}
	}
}

// A budget of tokens is kept by whichever upstream is chosen.
func TestABudgetOfTokensOfChoices(t *testing.T) {
	c := choosing()
	r := &c.Routes[1]
	r.Budget.MaxTokens = 10
	r.Steps[7].Chat.Output = nil
	r.Response = &config.Response{Stream: "last"}
	if errs := Validate(c); len(errs) > 0 {
		t.Fatal(errs)
	}
	small := c.Upstreams[len(c.Upstreams)-1]
	small.OpenAI = &config.OpenAI{Model: "m", Omit: []string{config.StreamOptions}}
	c.Upstreams[len(c.Upstreams)-1] = small
	errs := Validate(c)
	if len(errs) != 1 || errs[0].Path != "routes[1].steps[7].chat.upstream" || !strings.Contains(errs[0].Message, `"small" omits stream_options`) {
		t.Errorf("got %q", errs)
	}
}
