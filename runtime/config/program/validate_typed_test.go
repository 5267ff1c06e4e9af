package program

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// typed is a config with one of everything that a route may be made of.
func typed() *config.Config {
	c := valid()
	c.Upstreams = append(c.Upstreams, config.Upstream{
		Name: "search", HTTP: &config.HTTP{}, Endpoints: []config.Endpoint{{URL: "http://search"}}, Timeouts: c.Upstreams[0].Timeouts,
	})
	c.Functions = []config.Function{
		{
			Name: "summary", Input: []byte(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`),
			Steps:  []config.Step{{Name: "short", Action: config.Action{Chat: ask("${input.text}")}}},
			Output: []byte(`"${steps.short.text}"`),
		},
		{
			Name: "find", Timeout: config.Duration(time.Second),
			Input: []byte(`{"type":"object","properties":{"q":{"type":"string"},"n":{"type":"integer","default":3}},"required":["q"]}`),
			Steps: []config.Step{
				{Name: "hits", Action: config.Action{HTTP: &config.HTTPCall{
					Upstream: "search", Method: "GET", Path: "/find/${input.q}", Query: map[string]string{"n": "${input.n}"},
					Headers: map[string]string{"X-Why": "rag"}, AllowStatus: []int{404},
				}}},
				{Name: "short", Action: config.Action{Call: &config.Call{Function: "summary", Input: []byte(`{"text":"${steps.hits.body.json()}"}`)}}},
			},
			Output: []byte(`{"hits":"${steps.hits.status}","text":"${steps.short}"}`),
		},
	}
	c.Routes = append(c.Routes, config.Route{
		Path: "/ask/{id}", Method: "POST", Timeout: config.Duration(time.Minute), Budget: config.Budget{MaxCalls: 99, MaxBytes: 1 << 20},
		Request: &config.Request{
			Parameters: []config.Parameter{
				{Name: "id", In: config.InPath, Schema: []byte(`{"type":"integer"}`)},
				{Name: "q", In: config.InQuery, Schema: []byte(`{"type":"string"}`)},
				{Name: "X-Tenant", In: config.InHeader, Required: true},
			},
			Schema: []byte(`{"type":"object","properties":{"topic":{"type":"string"},"texts":{"type":"array","items":{"type":"string"}},"tone":{"type":"string"}},"required":["topic","texts"]}`),
		},
		Steps: []config.Step{
			{Name: "vectors", Action: config.Action{Embeddings: &config.Embeddings{Upstream: "fast", Input: "${request.body.texts}"}}},
			{Name: "each", ForEach: &config.ForEach{
				Items: "${request.body.texts}", MaxItems: 8, MaxParallel: 2,
				Do: config.Do{Action: config.Action{Call: &config.Call{Function: "summary", Input: []byte(`{"text":"${item} ${index}"}`)}}},
			}},
			{Name: "both", Gather: &config.Gather{Strategy: config.GatherAllSettled, Branches: []config.Branch{
				{Name: "found", Action: config.Action{Call: &config.Call{Function: "find", Input: []byte(`{"q":"${request.body.topic}"}`)}}},
				{Name: "guess", When: "${request.params.id > 3}", Action: config.Action{Chat: ask("${request.params.q.orValue('?')}")}},
			}}},
			{Name: "verdict", Gather: &config.Gather{
				Strategy: config.GatherVote, Vote: &config.Vote{Key: "${result.text}", Ties: config.TiesMostVotes},
				Branches: []config.Branch{
					{Name: "a", Action: config.Action{Chat: ask("a")}}, {Name: "b", Action: config.Action{Chat: ask("b")}},
				},
			}},
			{Name: "note", Set: &config.Set{Value: []byte(`{"n":"${request.params.id + 1}","all":"${steps.each}"}`)}},
			{
				Name: "agent", When: "${steps.note.n > 1}", OnError: &config.OnError{Value: []byte(`null`)},
				Action: config.Action{Agent: &config.Agent{
					Upstream: "fast", Messages: []config.Message{{Role: "user", Content: "${steps.both.found.?text.orValue('')}"}},
					Tools: []string{"find"}, MaxTurns: 2, MaxParallel: 2,
				}},
			},
			{Name: "enough", When: "${request.body.topic == ''}", Respond: &config.Respond{Status: 204}},
			{Name: "last", Action: config.Action{Chat: &config.Chat{
				Upstream: "fast", Messages: []config.Message{{History: "${request.body.texts.map(t, {'role': 'user', 'content': t})}"}},
				Output: &config.Output{Schema: []byte(`{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`)},
			}}},
		},
		Response: &config.Response{Body: []byte(`{"ok":"${steps.last.output.ok}","tenant":"${request.params['X-Tenant']}"}`)},
	})
	return c
}

func ask(text string) *config.Chat {
	return &config.Chat{Upstream: "fast", Messages: []config.Message{{Role: "user", Content: text}}}
}

func TestTypedRoutesAreAccepted(t *testing.T) {
	c := typed()
	p, errs := Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	r := *p.Routes[1] // a copy has all that the route has
	step := *r.Steps[5]
	copied := Gather{}
	if g, ok := r.Steps[2].Work.(*Gather); ok {
		copied = *g
	}
	query := p.Functions[1].Steps[0].Work.(*HTTP).Query
	if step.When == nil || r.Body == nil || r.Parameters[0].Text == nil || query == nil || r.Steps[0].When != nil ||
		len(copied.Branches) != 2 || copied.Branches[1].When == nil || copied.Asking != 2 {
		t.Error("what was compiled is lost")
	}
}

// A step may answer with a status of its own wherever it stands: what that comes to depends on what was sent before.
func TestAnswersInStreamsAreAccepted(t *testing.T) {
	for _, response := range []config.Response{
		{Stream: "last", KeepAlive: config.Duration(time.Second)},
		{Events: &config.Events{Progress: true}},
		{Events: &config.Events{Steps: []string{"both.guess"}}},
	} {
		c := typed()
		c.Routes[1].Response = &response
		if errs := Validate(c); len(errs) > 0 {
			t.Error(errs)
		}
	}
}

// streamed makes the first function one that streams. What read its output reads its text.
func streamed(c *config.Config, step string) {
	c.Functions[0].Output, c.Functions[0].Stream = nil, step
	c.Functions[1].Output = []byte(`{"hits":"${steps.hits.status}","text":"${steps.short.text}"}`)
	if step != "short" {
		c.Functions[1].Steps = c.Functions[1].Steps[:1]
		c.Functions[1].Output = []byte(`{"text":"x"}`)
	}
}

// A function that streams is as good as a chat: for an answer, for events, as a branch, and its value is its step's.
func TestFunctionsThatStreamAreAccepted(t *testing.T) {
	for _, response := range []config.Response{
		{Stream: "told"},
		{Events: &config.Events{Steps: []string{"told", "both.more"}}},
		{Events: &config.Events{Steps: []string{"both"}}},
		{Body: []byte(`"${steps.told.text}"`)},
	} {
		c := typed()
		streamed(c, "short")
		r := &c.Routes[1]
		again := config.Action{Call: &config.Call{Function: "summary", Input: []byte(`{"text":"x"}`)}}
		r.Steps[2].Gather.Branches = append(r.Steps[2].Gather.Branches, config.Branch{Name: "more", Action: again})
		r.Steps = append(r.Steps, config.Step{Name: "told", Action: again})
		r.Response = &response
		if errs := Validate(c); len(errs) > 0 {
			t.Error(errs)
		}
	}
}

// The value of a step may be an event: of a set, or of a call, also as a branch, unless one branch is chosen.
func TestWhichValuesAreEvents(t *testing.T) {
	call := config.Action{Call: &config.Call{Function: "summary", Input: []byte(`{"text":"x"}`)}}
	gather := func(strategy string) config.Step {
		g := &config.Gather{Strategy: strategy, Branches: []config.Branch{{Name: "x", Action: call}, {Name: "y", Action: call}}}
		if strategy == config.GatherVote {
			g.Vote = &config.Vote{Key: "${result}", Ties: config.TiesFail}
		}
		return config.Step{Name: "parts", Gather: g}
	}
	set := config.Step{Name: "told", Set: &config.Set{Value: []byte(`1`)}}
	for name, tt := range map[string]struct {
		step     config.Step
		event    string
		accepted bool
	}{
		"a set":                       {set, "told", true},
		"a call":                      {config.Step{Name: "told", Action: call}, "told", true},
		"a branch of All":             {gather(config.GatherAll), "parts.x", true},
		"a branch of AllSettled":      {gather(config.GatherAllSettled), "parts.x", true},
		"no such branch":              {gather(config.GatherAll), "parts.z", false},
		"a branch of First":           {gather(config.GatherFirst), "parts.x", false},
		"a branch of Fallback":        {gather(config.GatherFallback), "parts.x", false},
		"a branch of Vote":            {gather(config.GatherVote), "parts.x", false},
		"a gather":                    {gather(config.GatherAll), "parts", false},
		"a set as if it had branches": {set, "told.x", false},
		"an answer": {
			config.Step{Name: "told", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "web", Method: "GET", Path: "/"}}}, "told", false,
		},
		"a list": {config.Step{Name: "told", ForEach: &config.ForEach{
			Items: "${[1]}", MaxItems: 1, MaxParallel: 1, Do: config.Do{Action: call},
		}}, "told", false},
	} {
		c := typed()
		c.Routes[1].Steps = append(c.Routes[1].Steps, tt.step)
		c.Routes[1].Response = &config.Response{Events: &config.Events{
			Steps: []string{tt.event}, IDs: true, Retry: config.Duration(config.MinRetry),
		}}
		errs := Validate(c)
		refused := slices.ContainsFunc(errs, func(e config.FieldError) bool { return e.Path == "routes[1].response.events.steps[0]" })
		if refused == tt.accepted || tt.accepted && len(errs) > 0 {
			t.Errorf("%s: got %q", name, errs)
		}
	}
}

// A budget of tokens needs streams that report theirs, also those of functions: each is named once.
func TestABudgetOfTokensOfFunctionsThatStream(t *testing.T) {
	c := typed()
	streamed(c, "short")
	c.Functions[0].Steps[0].Chat.Parameters = []byte(`{"stream_options":null}`)
	r := &c.Routes[1]
	again := config.Action{Call: &config.Call{Function: "summary", Input: []byte(`{"text":"x"}`)}}
	r.Steps = append(r.Steps, config.Step{Name: "told", Action: again}, config.Step{Name: "more", Action: again})
	r.Response = &config.Response{Events: &config.Events{Steps: []string{"told", "more"}}}
	if errs := Validate(c); len(errs) > 0 {
		t.Fatal(errs)
	}
	r.Budget.MaxTokens = 100
	errs := Validate(c)
	if len(errs) != 1 || errs[0].Path != "functions[0].steps[0].chat.parameters.stream_options" {
		t.Errorf("got %q", errs)
	}
}

// refused are changes of a typed config, by the path of the one error that each is answered with.
func TestTypedRoutesAreRefused(t *testing.T) {
	route := func(change func(r *config.Route)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Routes[1]) }
	}
	step := func(i int, change func(s *config.Step)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Routes[1].Steps[i]) }
	}
	for _, tt := range []struct {
		path   string
		change func(*config.Config)
		want   string
	}{
		{"upstreams[1]", func(c *config.Config) { c.Upstreams[1].OpenAI = &config.OpenAI{Model: "m"} }, "both openAI and http"},
		{"models[0].upstreams[0]", func(c *config.Config) { c.Models[0].Upstreams[0] = "search" }, "plain HTTP service"},
		{"routes[1].path", route(func(r *config.Route) { r.Path = "/ask/{id}/{a}x" }), "text without braces"},
		{"routes[1].path", route(func(r *config.Route) { r.Path = "/ask/{id}/{id}" }), "twice"},
		{"routes[2].path", func(c *config.Config) {
			second := c.Routes[1]
			second.Path, second.Request = "/ask/{other}", &config.Request{Parameters: []config.Parameter{{Name: "other", In: config.InPath}}}
			second.Steps, second.Response = nil, &config.Response{Body: []byte(`1`)}
			c.Routes = append(c.Routes, second)
		}, "belongs to another route"},
		{"routes[2].path", func(c *config.Config) {
			second := c.Routes[1]
			second.Method, second.Path, second.Request = "GET", "/ask/{other}", &config.Request{Parameters: []config.Parameter{{Name: "other", In: config.InPath}}}
			second.Steps, second.Response = nil, &config.Response{Body: []byte(`1`)}
			c.Routes = append(c.Routes, second)
		}, "same paths"},
		{"routes[1].operationID", route(func(r *config.Route) { r.OperationID = "a b" }), "want a letter"},
		{"routes[1].operationID", route(func(r *config.Route) { r.OperationID = "createResponse" }), "the gateway's own"},
		{"routes[1].operationID", func(c *config.Config) { c.Routes[0].OperationID, c.Routes[1].OperationID = "ask", "ask" }, "another route's"},
		{"routes[1].maxStreamDuration", route(func(r *config.Route) { r.MaxStreamDuration = config.Duration(time.Second) }), "want response.stream or response.events"},
		{"routes[1].maxStreamDuration", route(func(r *config.Route) {
			r.MaxStreamDuration, r.Response = -1, &config.Response{Events: &config.Events{Progress: true}}
			r.Steps = r.Steps[:6]
		}), "more than 0s"},
		{"routes[1].budget.maxCalls", route(func(r *config.Route) { r.Budget.MaxCalls = 0 }), "at least 1"},
		{"routes[1].budget.maxBytes", route(func(r *config.Route) { r.Budget.MaxBytes = 0 }), "at least 1"},
		{"routes[1].budget.maxTokens", route(func(r *config.Route) { r.Budget.MaxTokens = -1 }), "at least 1"},
		{"routes[1].request.parameters[1].in", route(func(r *config.Route) { r.Request.Parameters[1].In = "Body" }), "Path, Query, Header, Cookie"},
		{"routes[1].request.parameters[3].name", route(func(r *config.Route) {
			r.Request.Parameters = append(r.Request.Parameters, config.Parameter{Name: "x-tenant", In: config.InHeader})
		}), "another parameter"},
		{"routes[1].request.parameters[3].name", route(func(r *config.Route) {
			r.Request.Parameters = append(r.Request.Parameters, config.Parameter{Name: "more", In: config.InPath})
		}), "no segment {more}"},
		{"routes[1].request.parameters[3].name", route(func(r *config.Route) {
			r.Request.Parameters = append(r.Request.Parameters, config.Parameter{Name: "a b", In: config.InHeader})
		}), "name of a header"},
		{"routes[1].request.parameters[3].name", route(func(r *config.Route) {
			r.Request.Parameters = append(r.Request.Parameters, config.Parameter{Name: "a;b", In: config.InCookie})
		}), "is not the name of a cookie, want letters, digits and -_., such as session"},
		{"routes[1].request.parameters[1].schema", route(func(r *config.Route) { r.Request.Parameters[1].Schema = []byte(`{"type":"object"}`) }), "object"},
		{"routes[1].request.parameters", route(func(r *config.Route) { r.Path = "/ask/{id}/{more}" }), "want {name: more, in: Path}"},
		{"routes[1].steps[6].name", step(6, func(s *config.Step) { s.Name = "vectors" }), "another step"},
		{"routes[1].steps[0].name", step(0, func(s *config.Step) { s.Name = "a-b" }), "is not a valid name"},
		{"routes[1].steps[0]", step(0, func(s *config.Step) { s.Set = &config.Set{Value: []byte(`1`)} }), "has embeddings and set"},
		{"routes[1].steps[0].timeout", step(0, func(s *config.Step) { s.Timeout = -1 }), "more than 0s"},
		{"routes[1].steps[0].embeddings.upstream", step(0, func(s *config.Step) { s.Embeddings.Upstream = "search" }), "plain HTTP service"},
		{"routes[1].steps[0].embeddings.input", step(0, func(s *config.Step) { s.Embeddings.Input = "${request.nope}" }), "body"},
		{"routes[1].steps[5].when", step(5, func(s *config.Step) { s.When = "${steps.note.n}" }), "bool"},
		{"routes[1].steps[5].when", step(5, func(s *config.Step) { s.When = "steps.note.n > 1" }), "${"},
		{"routes[1].steps[5].onError", step(5, func(s *config.Step) { s.OnError.Continue = &config.Continue{} }), "continue and value"},
		{"routes[1].steps[5].onError", step(5, func(s *config.Step) { s.OnError = &config.OnError{} }), "want one of"},
		{"routes[1].steps[5].onError.value", step(5, func(s *config.Step) { s.OnError.Value = []byte(`"${error.nope}"`) }), "code, message"},
		{"routes[1].steps[5].agent.tools[0]", step(5, func(s *config.Step) { s.Agent.Tools[0] = "nope" }), "no function"},
		{"routes[1].steps[5].agent.tools[1]", step(5, func(s *config.Step) { s.Agent.Tools = []string{"find", "find"} }), "is listed twice"},
		{"routes[1].steps[5].agent.tools", step(5, func(s *config.Step) { s.Agent.Tools = nil }), "at least one"},
		{"routes[1].steps[5].agent.maxTurns", step(5, func(s *config.Step) { s.Agent.MaxTurns = config.MaxTurns + 1 }), "from 1 to"},
		{"routes[1].steps[5].agent.maxParallel", step(5, func(s *config.Step) { s.Agent.MaxParallel = 0 }), "from 1 to"},
		{"routes[1].steps[5].agent.messages[0].content", step(5, func(s *config.Step) { s.Agent.Messages[0].Content = "${steps.both.found}" }), "orValue"},
		{"routes[1].steps[1].forEach.items", step(1, func(s *config.Step) { s.ForEach.Items = "${request.body.topic}" }), "list"},
		{"routes[1].steps[1].forEach.maxItems", step(1, func(s *config.Step) { s.ForEach.MaxItems = config.MaxItems + 1 }), "from 1 to"},
		{"routes[1].steps[1].forEach.maxParallel", step(1, func(s *config.Step) { s.ForEach.MaxParallel = 0 }), "from 1 to"},
		{"routes[1].steps[1].forEach.do", step(1, func(s *config.Step) { s.ForEach.Do.Action = config.Action{} }), "no kind"},
		{"routes[1].steps[1].forEach.do.onError.respond", step(1, func(s *config.Step) {
			s.ForEach.Do.OnError = &config.OnError{Respond: &config.Respond{Status: 200}}
		}), "only in the onError of steps of a route, and of a function that is a dependency"},
		{"routes[1].steps[2].gather.strategy", step(2, func(s *config.Step) { s.Gather.Strategy = "Any" }), "AllSettled"},
		{"routes[1].steps[2].gather.first", step(2, func(s *config.Step) { s.Gather.First = &config.First{} }), "is not allowed when"},
		{"routes[1].steps[2].gather.branches", step(2, func(s *config.Step) { s.Gather.Branches = s.Gather.Branches[:1] }), "from 2 to"},
		{"routes[1].steps[3].gather.branches", step(3, func(s *config.Step) {
			s.Gather.Strategy, s.Gather.Vote = config.GatherFirst, nil
			for i := range config.MaxRacers - 1 {
				s.Gather.Branches = append(s.Gather.Branches, config.Branch{Name: "more" + string(rune('a'+i)), Action: config.Action{Chat: ask("x")}})
			}
		}), "from 2 to 8"},
		{"routes[1].steps[2].gather.branches[1].name", step(2, func(s *config.Step) { s.Gather.Branches[1].Name = "errors" }), "holds the errors of branches"},
		{"routes[1].steps[2].gather.branches[1]", step(2, func(s *config.Step) { s.Gather.Branches[1].Action = config.Action{} }), "no kind"},
		{"routes[1].steps[3].gather.branches[0].required", step(3, func(s *config.Step) { s.Gather.Branches[0].Required = new(bool) }), "is not allowed when"},
		{"routes[1].steps[3].gather.branches[0].onError", step(3, func(s *config.Step) { s.Gather.Branches[0].OnError = &config.OnError{Continue: &config.Continue{}} }), "is not allowed when"},
		{"routes[1].steps[3].gather.vote.key", step(3, func(s *config.Step) { s.Gather.Vote.Key = "${result.nope}" }), "finishReason"},
		{"routes[1].steps[3].gather.vote.quorum", step(3, func(s *config.Step) { s.Gather.Vote.Quorum = 3 }), "from 1 to 2"},
		{"routes[1].steps[3].gather.vote.ties", step(3, func(s *config.Step) { s.Gather.Vote.Ties = "Coin" }), "MostVotes"},
		{"routes[1].steps[4].set.value", step(4, func(s *config.Step) { s.Set.Value = nil }), "required"},
		{"routes[1].steps[6].respond.status", step(6, func(s *config.Step) { s.Respond.Status = 199 }), "from 200"},
		{"routes[1].steps[7].chat.messages[0].history", step(7, func(s *config.Step) { s.Chat.Messages[0].History = "${request.body.topic}" }), "list"},
		{"routes[1].steps[7].chat.messages[0]", step(7, func(s *config.Step) { s.Chat.Messages[0].Role = "user" }), "one of them"},
		{"routes[1].steps[7].chat.output.schema", step(7, func(s *config.Step) { s.Chat.Output.Schema = []byte(`{"$ref":"http://x/y"}`) }), ""},
		{"routes[1].steps[7].chat.output.repairAttempts", step(7, func(s *config.Step) { s.Chat.Output.RepairAttempts = config.MaxRepairAttempts + 1 }), "from 0"},
		{"routes[1].steps[7].chat.parameters.response_format", step(7, func(s *config.Step) { s.Chat.Parameters = []byte(`{"response_format":{}}`) }), "gateway sets it"},
		{"routes[1].response.body.ok", route(func(r *config.Route) { r.Response.Body = []byte(`{"ok":"${steps.last.nope}"}`) }), ""},
		{"routes[1].response.format", route(func(r *config.Route) { r.Response.Format = "Text" }), "only with stream"},
		{"routes[1].response.commit", route(func(r *config.Route) { r.Response.Commit = config.CommitImmediately }), "only with stream"},
		{"routes[1].response.keepAlive", route(func(r *config.Route) { r.Response.KeepAlive = config.Duration(time.Second) }), "for streams"},
		{"routes[1].response.schema", route(func(r *config.Route) { r.Response.Schema = []byte(`{"type":1}`) }), ""},
		{"routes[1].response.stream", route(func(r *config.Route) { r.Response = &config.Response{Stream: "nope"} }), "no step"},
		{"routes[1].response.stream", route(func(r *config.Route) { r.Response = &config.Response{Stream: "note"} }), "not the last"},
		{"routes[1].response.stream", route(func(r *config.Route) { r.Steps = r.Steps[:5]; r.Response = &config.Response{Stream: "note"} }), "no tokens"},
		{"routes[1].steps[7].when", route(func(r *config.Route) { r.Steps[7].When = "${true}"; r.Response = &config.Response{Stream: "last"} }), "nothing to stream"},
		{"routes[1].steps[7].onError", route(func(r *config.Route) {
			r.Steps[7].OnError = &config.OnError{Continue: &config.Continue{}}
			r.Response = &config.Response{Stream: "last"}
		}), "want respond"},
		{"routes[1].response.commit", route(func(r *config.Route) {
			r.Response = &config.Response{Stream: "last", Commit: config.CommitAfterValidation}
		}), "needs a schema"},
		{"routes[1].response.unknownMembers", route(func(r *config.Route) { r.Response.UnknownMembers = config.UnknownMembersKeep }), "only with schema"},
		{"routes[1].response.events", route(func(r *config.Route) { r.Response = &config.Response{Events: &config.Events{}} }), "is empty"},
		{"routes[1].response.events.steps[0]", route(func(r *config.Route) { r.Response = &config.Response{Events: &config.Events{Steps: []string{"nope"}}} }), "GATHER.BRANCH"},
		{"routes[1].response.events.steps[1]", route(func(r *config.Route) {
			r.Response = &config.Response{Events: &config.Events{Steps: []string{"last", "last"}}}
		}), "is listed twice"},
		{"routes[1].response.events.steps[0]", route(func(r *config.Route) {
			r.Response = &config.Response{Events: &config.Events{Steps: []string{"both.guess", "both"}}}
			r.Steps = r.Steps[:6]
		}), "is listed with its gather"},
		{"routes[1].response.events.steps[0]", route(func(r *config.Route) {
			r.Response = &config.Response{Events: &config.Events{Steps: []string{"both"}}}
			r.Steps = r.Steps[:6]
			r.Steps[2].Gather.Branches = r.Steps[2].Gather.Branches[:1]
			r.Steps[2].Gather.Branches = append(r.Steps[2].Gather.Branches, config.Branch{Name: "more", Action: r.Steps[2].Gather.Branches[0].Action})
		}), "a gather of chats"},
		{"routes[1].response.events.retry", func(c *config.Config) {
			c.Routes[1].Response = &config.Response{Events: &config.Events{Progress: true, Retry: config.Duration(config.MinRetry - 1)}}
		}, "want from 100ms to 1h0m0s"},
		{"routes[1].response.events.retry", func(c *config.Config) {
			c.Routes[1].Response = &config.Response{Events: &config.Events{Progress: true, Retry: config.Duration(config.MaxRetry + 1)}}
		}, "want from 100ms to 1h0m0s"},
		{"routes[1].response.events.retry", func(c *config.Config) {
			c.Routes[1].Response = &config.Response{Events: &config.Events{Progress: true, Retry: -1}}
		}, "want from 100ms to 1h0m0s"},
		{"functions[0].output", func(c *config.Config) { c.Functions[0].Output = nil }, "unless the function has stream"},
		{"functions[0]", func(c *config.Config) { c.Functions[0].Stream = "short" }, "output and stream"},
		{"functions[0].stream", func(c *config.Config) { streamed(c, "nope") }, "no step"},
		{"functions[0].stream", func(c *config.Config) {
			streamed(c, "short")
			c.Functions[0].Steps = append(c.Functions[0].Steps, config.Step{Name: "more", Set: &config.Set{Value: []byte(`1`)}})
		}, "not the last step"},
		{"functions[0].stream", func(c *config.Config) {
			streamed(c, "none")
			c.Functions[0].Stream = "short"
			c.Functions[0].Steps[0] = config.Step{Name: "short", Set: &config.Set{Value: []byte(`1`)}}
		}, "has no tokens"},
		{"functions[0].steps[0].when", func(c *config.Config) { streamed(c, "short"); c.Functions[0].Steps[0].When = "${true}" }, "nothing to stream"},
		{"functions[0].steps[0].onError", func(c *config.Config) {
			streamed(c, "short")
			c.Functions[0].Steps[0].OnError = &config.OnError{Continue: &config.Continue{}}
		}, "nothing to stream"},
		{"routes[1].response.events.steps[0]", func(c *config.Config) {
			c.Routes[1].Response = &config.Response{Events: &config.Events{Steps: []string{"both.nope"}}}
		}, "a chat, agent, call or set step"},
		{"functions[1].name", func(c *config.Config) { c.Functions[1].Name = "summary"; c.Routes = c.Routes[:1] }, "another function"},
		{"functions[0].output", func(c *config.Config) { c.Functions[0].Output = nil }, "required"},
		{"functions[0].steps", func(c *config.Config) { c.Functions[0].Steps = nil; c.Functions[0].Output = []byte(`"x"`) }, "at least one"},
		{"functions[0].steps[0].chat.messages[0].content", func(c *config.Config) { c.Functions[0].Steps[0].Chat = ask("${request.body}") }, "input"},
		{"functions[0].steps[0].onError.respond.status", func(c *config.Config) {
			c.Functions[0].Steps[0].OnError = &config.OnError{Respond: &config.Respond{Status: 200}}
		}, "a function can only refuse a request"},
		{"functions[1].steps[0].http.upstream", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Upstream = "fast" }, "has a model"},
		{"functions[1].steps[0].http.method", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Method = "TRACE" }, "GET, POST"},
		{"functions[1].steps[0].http.path", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Path = "/find?q=${input.q}" }, "?"},
		{"functions[1].steps[0].http.query.n", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Query["n"] = "${steps.nope}" }, "undefined field"},
		{"functions[1].steps[0].http.headers.Host", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Headers["Host"] = "x" }, "gateway sets it"},
		{"functions[1].steps[0].http.headers.Authorization", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.Headers["Authorization"] = "x" }, "auth"},
		{"functions[1].steps[0].http.allowStatus[0]", func(c *config.Config) { c.Functions[1].Steps[0].HTTP.AllowStatus[0] = 200 }, "from 300"},
		{"functions[1].steps[1].call.function", func(c *config.Config) { c.Functions[1].Steps[1].Call.Function = "nope" }, "no function"},
		{"functions[1].steps[1].call.input", func(c *config.Config) { c.Functions[1].Steps[1].Call.Input = []byte(`[]`) }, "JSON object"},
	} {
		t.Run(tt.path+" "+tt.want, func(t *testing.T) {
			c := typed()
			tt.change(c)
			_, errs := Compile(c)
			paths := make([]string, len(errs))
			for i, e := range errs {
				paths[i] = e.Path
			}
			i := slices.Index(paths, tt.path)
			if i < 0 {
				i = slices.IndexFunc(paths, func(p string) bool { return strings.HasPrefix(p, tt.path) })
			}
			if i < 0 || !strings.Contains(errs[i].Message, tt.want) || len(errs) != 1 {
				t.Errorf("errors %q, want one at %s: …%s", errs, tt.path, tt.want)
			}
		})
	}
}

// TestFunctionsDoNotRecur also through others, through agents' tools and through branches.
func TestFunctionsDoNotRecur(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *config.Config)
		want   string
	}{
		"itself": {func(c *config.Config) {
			c.Functions[0].Steps = append(c.Functions[0].Steps, config.Step{Name: "again", Action: config.Action{Call: &config.Call{Function: "summary"}}})
		}, "functions[0].steps[1].call.function: functions may not call themselves: summary calls summary"},
		"another that calls it": {func(c *config.Config) {
			c.Functions[0].Steps = append(c.Functions[0].Steps, config.Step{Name: "again", Action: config.Action{Call: &config.Call{Function: "find", Input: []byte(`{"q":"x"}`)}}})
		}, "summary calls find calls summary"},
		"an agent's tool": {func(c *config.Config) {
			agent := &config.Agent{Upstream: "fast", Messages: ask("x").Messages, Tools: []string{"summary"}, MaxTurns: 1, MaxParallel: 1}
			c.Functions[0].Steps = append(c.Functions[0].Steps, config.Step{Name: "again", Action: config.Action{Agent: agent}})
		}, "functions[0].steps[1].agent.tools[0]: functions may not call themselves"},
		"a branch": {func(c *config.Config) {
			call := config.Action{Call: &config.Call{Function: "summary"}}
			c.Functions[0].Steps = append(c.Functions[0].Steps, config.Step{Name: "again", Gather: &config.Gather{
				Strategy: config.GatherAll, Branches: []config.Branch{{Name: "a", Action: call}, {Name: "b", Action: config.Action{Chat: ask("x")}}},
			}})
		}, "functions[0].steps[1].gather.branches[0].call.function: functions may not call themselves"},
	} {
		c := typed()
		tt.change(c)
		if _, errs := Compile(c); len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%s: errors %q, want …%s", name, errs, tt.want)
		}
	}
}

// Functions that call each other multiply: each is looked at once.
func TestFunctionsAreReadOnce(t *testing.T) {
	c := valid()
	c.Upstreams = append(c.Upstreams, config.Upstream{
		Name: "web", HTTP: &config.HTTP{}, Endpoints: []config.Endpoint{{URL: "http://web"}}, Timeouts: c.Upstreams[0].Timeouts,
	})
	work := config.Action{HTTP: &config.HTTPCall{Upstream: "web", Method: "GET", Path: "/"}}
	for i := range 32 {
		f := config.Function{Name: fmt.Sprintf("f%d", i), Output: []byte(`1`)}
		for j := range 16 {
			f.Steps = append(f.Steps, config.Step{Name: fmt.Sprintf("s%d", j), Action: work})
		}
		c.Functions = append(c.Functions, f)
		work = config.Action{Call: &config.Call{Function: f.Name}}
	}
	c.Routes[0].Budget.MaxCalls = math.MaxInt32
	c.Routes[0].Steps = append(c.Routes[0].Steps, config.Step{Name: "both", OnError: &config.OnError{Continue: &config.Continue{}}, Gather: &config.Gather{
		Strategy: config.GatherAll, Branches: []config.Branch{{Name: "a", Action: work}, {Name: "b", Action: c.Routes[0].Steps[0].Action}},
	}})
	p, errs := Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if g, ok := p.Routes[0].Steps[1].Work.(*Gather); !ok || g.Asking != 1 {
		t.Errorf("got %+v, want a gather of which one branch asks a model", p.Routes[0].Steps[1].Work)
	}
}

// TestErrorsKeepTheOrderOfTheFields although functions are read before those that call them.
func TestErrorsKeepTheOrderOfTheFields(t *testing.T) {
	c := typed()
	c.Functions[0], c.Functions[1] = c.Functions[1], c.Functions[0]
	c.Functions[0].Timeout, c.Functions[1].Timeout, c.Routes[1].Timeout = -1, -1, 0
	_, errs := Compile(c)
	var paths []string
	for _, e := range errs {
		paths = append(paths, e.Path)
	}
	want := []string{"functions[0].timeout", "functions[1].timeout", "routes[1].timeout"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
}

func TestWinnersHaveTheirText(t *testing.T) {
	race := &config.Gather{Strategy: config.GatherFirst, Branches: []config.Branch{
		{Name: "a", Action: config.Action{Chat: ask("a")}}, {Name: "b", Action: config.Action{Chat: ask("b")}},
	}}
	c := typed()
	c.Routes[1].Steps = []config.Step{{Name: "race", Gather: race}}
	c.Routes[1].Response = &config.Response{Body: []byte(`{"t":"${steps.race.text}","b":"${steps.race.branch}","v":"${steps.race.value.text}"}`)}
	if _, errs := Compile(c); len(errs) > 0 {
		t.Error(errs)
	}
	race.Branches[1].Action = config.Action{Call: &config.Call{Function: "find", Input: []byte(`{"q":"x"}`)}}
	if _, errs := Compile(c); len(errs) != 1 || !strings.Contains(errs[0].Message, "text") {
		t.Errorf("a race of different kinds: %q", errs)
	}
	c.Routes[1].Response = &config.Response{Stream: "race"}
	if _, errs := Compile(c); len(errs) != 1 || errs[0].Path != "routes[1].response.stream" {
		t.Errorf("streamed: %q", errs)
	}
}
