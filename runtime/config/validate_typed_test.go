package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// typed is a config with one of everything that a route may be made of.
func typed() *Config {
	c := valid()
	c.Upstreams = append(c.Upstreams, Upstream{
		Name: "search", HTTP: &HTTP{}, Endpoints: []Endpoint{{URL: "http://search"}}, Timeouts: c.Upstreams[0].Timeouts,
	})
	c.Functions = []Function{
		{
			Name: "summary", Input: []byte(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`),
			Steps:  []Step{{Name: "short", Action: Action{Chat: ask("${input.text}")}}},
			Output: []byte(`"${steps.short.text}"`),
		},
		{
			Name: "find", Timeout: Duration(time.Second),
			Input: []byte(`{"type":"object","properties":{"q":{"type":"string"},"n":{"type":"integer","default":3}},"required":["q"]}`),
			Steps: []Step{
				{Name: "hits", Action: Action{HTTP: &HTTPCall{
					Upstream: "search", Method: "GET", Path: "/find/${input.q}", Query: map[string]string{"n": "${input.n}"},
					Headers: map[string]string{"X-Why": "rag"}, AllowStatus: []int{404},
				}}},
				{Name: "short", Action: Action{Call: &Call{Function: "summary", Input: []byte(`{"text":"${steps.hits.body.json()}"}`)}}},
			},
			Output: []byte(`{"hits":"${steps.hits.status}","text":"${steps.short}"}`),
		},
	}
	c.Routes = append(c.Routes, Route{
		Path: "/ask/{id}", Method: "POST", Timeout: Duration(time.Minute), Budget: Budget{MaxCalls: 99, MaxBytes: 1 << 20},
		Request: &Request{
			Parameters: []Parameter{
				{Name: "id", In: InPath, Schema: []byte(`{"type":"integer"}`)},
				{Name: "q", In: InQuery, Schema: []byte(`{"type":"string"}`)},
				{Name: "X-Tenant", In: InHeader, Required: true},
			},
			Schema: []byte(`{"type":"object","properties":{"topic":{"type":"string"},"texts":{"type":"array","items":{"type":"string"}},"tone":{"type":"string"}},"required":["topic","texts"]}`),
		},
		Steps: []Step{
			{Name: "vectors", Action: Action{Embeddings: &Embeddings{Upstream: "fast", Input: "${request.body.texts}"}}},
			{Name: "each", ForEach: &ForEach{
				Items: "${request.body.texts}", MaxItems: 8, MaxParallel: 2,
				Do: Do{Action: Action{Call: &Call{Function: "summary", Input: []byte(`{"text":"${item} ${index}"}`)}}},
			}},
			{Name: "both", Gather: &Gather{Strategy: GatherAllSettled, Branches: []Branch{
				{Name: "found", Action: Action{Call: &Call{Function: "find", Input: []byte(`{"q":"${request.body.topic}"}`)}}},
				{Name: "guess", When: "${request.params.id > 3}", Action: Action{Chat: ask("${request.params.q.orValue('?')}")}},
			}}},
			{Name: "verdict", Gather: &Gather{
				Strategy: GatherVote, Vote: &Vote{Key: "${result.text}", Ties: TiesMostVotes},
				Branches: []Branch{
					{Name: "a", Action: Action{Chat: ask("a")}}, {Name: "b", Action: Action{Chat: ask("b")}},
				},
			}},
			{Name: "note", Set: &Set{Value: []byte(`{"n":"${request.params.id + 1}","all":"${steps.each}"}`)}},
			{
				Name: "agent", When: "${steps.note.n > 1}", OnError: &OnError{Value: []byte(`null`)},
				Action: Action{Agent: &Agent{
					Upstream: "fast", Messages: []Message{{Role: "user", Content: "${steps.both.found.?text.orValue('')}"}},
					Tools: []string{"find"}, MaxTurns: 2, MaxParallel: 2,
				}},
			},
			{Name: "enough", When: "${request.body.topic == ''}", Respond: &Respond{Status: 204}},
			{Name: "last", Action: Action{Chat: &Chat{
				Upstream: "fast", Messages: []Message{{History: "${request.body.texts.map(t, {'role': 'user', 'content': t})}"}},
				Output: &Output{Schema: []byte(`{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`)},
			}}},
		},
		Response: &Response{Body: []byte(`{"ok":"${steps.last.output.ok}","tenant":"${request.params['X-Tenant']}"}`)},
	})
	return c
}

func ask(text string) *Chat {
	return &Chat{Upstream: "fast", Messages: []Message{{Role: "user", Content: text}}}
}

func TestTypedRoutesAreAccepted(t *testing.T) {
	c := typed()
	p, errs := Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	r := &c.Routes[1]
	if p.Template(&r.Steps[5].When) == nil || p.Schema(&r.Request.Schema) == nil || p.Parameter(&r.Request.Parameters[0]) == nil ||
		p.Map(&c.Functions[1].Steps[0].HTTP.Query) == nil || p.Template(&r.Steps[0].When) != nil {
		t.Error("what was compiled is not found again")
	}
}

// refused are changes of a typed config, by the path of the one error that each is answered with.
func TestTypedRoutesAreRefused(t *testing.T) {
	route := func(change func(r *Route)) func(*Config) { return func(c *Config) { change(&c.Routes[1]) } }
	step := func(i int, change func(s *Step)) func(*Config) {
		return func(c *Config) { change(&c.Routes[1].Steps[i]) }
	}
	for _, tt := range []struct {
		path   string
		change func(*Config)
		want   string
	}{
		{"upstreams[1]", func(c *Config) { c.Upstreams[1].OpenAI = &OpenAI{Model: "m"} }, "both openAI and http"},
		{"models[0].upstreams[0]", func(c *Config) { c.Models[0].Upstreams[0] = "search" }, "plain HTTP service"},
		{"routes[1].path", route(func(r *Route) { r.Path = "/ask/{id}/{a}x" }), "text without braces"},
		{"routes[1].path", route(func(r *Route) { r.Path = "/ask/{id}/{id}" }), "twice"},
		{"routes[2].path", func(c *Config) {
			second := c.Routes[1]
			second.Path, second.Request = "/ask/{other}", &Request{Parameters: []Parameter{{Name: "other", In: InPath}}}
			second.Steps, second.Response = nil, &Response{Body: []byte(`1`)}
			c.Routes = append(c.Routes, second)
		}, "another route's"},
		{"routes[2].path", func(c *Config) {
			second := c.Routes[1]
			second.Method, second.Path, second.Request = "GET", "/ask/{other}", &Request{Parameters: []Parameter{{Name: "other", In: InPath}}}
			second.Steps, second.Response = nil, &Response{Body: []byte(`1`)}
			c.Routes = append(c.Routes, second)
		}, "same paths"},
		{"routes[1].budget.maxCalls", route(func(r *Route) { r.Budget.MaxCalls = 0 }), "at least 1"},
		{"routes[1].budget.maxBytes", route(func(r *Route) { r.Budget.MaxBytes = 0 }), "at least 1"},
		{"routes[1].budget.maxTokens", route(func(r *Route) { r.Budget.MaxTokens = -1 }), "at least 1"},
		{"routes[1].request.parameters[1].in", route(func(r *Route) { r.Request.Parameters[1].In = "Cookie" }), "Path, Query, Header"},
		{"routes[1].request.parameters[3].name", route(func(r *Route) {
			r.Request.Parameters = append(r.Request.Parameters, Parameter{Name: "x-tenant", In: InHeader})
		}), "another parameter"},
		{"routes[1].request.parameters[3].name", route(func(r *Route) {
			r.Request.Parameters = append(r.Request.Parameters, Parameter{Name: "more", In: InPath})
		}), "no segment {more}"},
		{"routes[1].request.parameters[3].name", route(func(r *Route) {
			r.Request.Parameters = append(r.Request.Parameters, Parameter{Name: "a b", In: InHeader})
		}), "name of a header"},
		{"routes[1].request.parameters[1].schema", route(func(r *Route) { r.Request.Parameters[1].Schema = []byte(`{"type":"object"}`) }), "object"},
		{"routes[1].request.parameters", route(func(r *Route) { r.Path = "/ask/{id}/{more}" }), "want {name: more, in: Path}"},
		{"routes[1].steps[6].name", step(6, func(s *Step) { s.Name = "vectors" }), "another step"},
		{"routes[1].steps[0].name", step(0, func(s *Step) { s.Name = "a-b" }), "is no name"},
		{"routes[1].steps[0]", step(0, func(s *Step) { s.Set = &Set{Value: []byte(`1`)} }), "has embeddings and set"},
		{"routes[1].steps[0].timeout", step(0, func(s *Step) { s.Timeout = -1 }), "more than 0s"},
		{"routes[1].steps[0].embeddings.upstream", step(0, func(s *Step) { s.Embeddings.Upstream = "search" }), "plain HTTP service"},
		{"routes[1].steps[0].embeddings.input", step(0, func(s *Step) { s.Embeddings.Input = "${request.nope}" }), "body"},
		{"routes[1].steps[5].when", step(5, func(s *Step) { s.When = "${steps.note.n}" }), "bool"},
		{"routes[1].steps[5].when", step(5, func(s *Step) { s.When = "steps.note.n > 1" }), "${"},
		{"routes[1].steps[5].onError", step(5, func(s *Step) { s.OnError.Continue = &Continue{} }), "continue and value"},
		{"routes[1].steps[5].onError", step(5, func(s *Step) { s.OnError = &OnError{} }), "want one of"},
		{"routes[1].steps[5].onError.value", step(5, func(s *Step) { s.OnError.Value = []byte(`"${error.nope}"`) }), "code, message"},
		{"routes[1].steps[5].agent.tools[0]", step(5, func(s *Step) { s.Agent.Tools[0] = "nope" }), "no function"},
		{"routes[1].steps[5].agent.tools[1]", step(5, func(s *Step) { s.Agent.Tools = []string{"find", "find"} }), "already"},
		{"routes[1].steps[5].agent.tools", step(5, func(s *Step) { s.Agent.Tools = nil }), "at least one"},
		{"routes[1].steps[5].agent.maxTurns", step(5, func(s *Step) { s.Agent.MaxTurns = MaxTurns + 1 }), "from 1 to"},
		{"routes[1].steps[5].agent.maxParallel", step(5, func(s *Step) { s.Agent.MaxParallel = 0 }), "from 1 to"},
		{"routes[1].steps[5].agent.messages[0].content", step(5, func(s *Step) { s.Agent.Messages[0].Content = "${steps.both.found}" }), "orValue"},
		{"routes[1].steps[1].forEach.items", step(1, func(s *Step) { s.ForEach.Items = "${request.body.topic}" }), "list"},
		{"routes[1].steps[1].forEach.maxItems", step(1, func(s *Step) { s.ForEach.MaxItems = MaxItems + 1 }), "from 1 to"},
		{"routes[1].steps[1].forEach.maxParallel", step(1, func(s *Step) { s.ForEach.MaxParallel = 0 }), "from 1 to"},
		{"routes[1].steps[1].forEach.do", step(1, func(s *Step) { s.ForEach.Do.Action = Action{} }), "no kind"},
		{"routes[1].steps[1].forEach.do.onError.respond", step(1, func(s *Step) {
			s.ForEach.Do.OnError = &OnError{Respond: &Respond{Status: 200}}
		}), "route's steps only"},
		{"routes[1].steps[2].gather.strategy", step(2, func(s *Step) { s.Gather.Strategy = "Any" }), "AllSettled"},
		{"routes[1].steps[2].gather.first", step(2, func(s *Step) { s.Gather.First = &First{} }), "no use"},
		{"routes[1].steps[2].gather.branches", step(2, func(s *Step) { s.Gather.Branches = s.Gather.Branches[:1] }), "from 2 to"},
		{"routes[1].steps[3].gather.branches", step(3, func(s *Step) {
			s.Gather.Strategy, s.Gather.Vote = GatherFirst, nil
			for i := range MaxRacers - 1 {
				s.Gather.Branches = append(s.Gather.Branches, Branch{Name: "more" + string(rune('a'+i)), Action: Action{Chat: ask("x")}})
			}
		}), "from 2 to 8"},
		{"routes[1].steps[2].gather.branches[1].name", step(2, func(s *Step) { s.Gather.Branches[1].Name = "errors" }), "what went wrong"},
		{"routes[1].steps[2].gather.branches[1]", step(2, func(s *Step) { s.Gather.Branches[1].Action = Action{} }), "no kind"},
		{"routes[1].steps[3].gather.branches[0].required", step(3, func(s *Step) { s.Gather.Branches[0].Required = new(bool) }), "no use"},
		{"routes[1].steps[3].gather.branches[0].onError", step(3, func(s *Step) { s.Gather.Branches[0].OnError = &OnError{Continue: &Continue{}} }), "no use"},
		{"routes[1].steps[3].gather.vote.key", step(3, func(s *Step) { s.Gather.Vote.Key = "${result.nope}" }), "finishReason"},
		{"routes[1].steps[3].gather.vote.quorum", step(3, func(s *Step) { s.Gather.Vote.Quorum = 3 }), "from 1 to 2"},
		{"routes[1].steps[3].gather.vote.ties", step(3, func(s *Step) { s.Gather.Vote.Ties = "Coin" }), "MostVotes"},
		{"routes[1].steps[4].set.value", step(4, func(s *Step) { s.Set.Value = nil }), "required"},
		{"routes[1].steps[6].respond.status", step(6, func(s *Step) { s.Respond.Status = 199 }), "from 200"},
		{"routes[1].steps[7].chat.messages[0].history", step(7, func(s *Step) { s.Chat.Messages[0].History = "${request.body.topic}" }), "list"},
		{"routes[1].steps[7].chat.messages[0]", step(7, func(s *Step) { s.Chat.Messages[0].Role = "user" }), "one of them"},
		{"routes[1].steps[7].chat.output.schema", step(7, func(s *Step) { s.Chat.Output.Schema = []byte(`{"$ref":"http://x/y"}`) }), ""},
		{"routes[1].steps[7].chat.output.repairAttempts", step(7, func(s *Step) { s.Chat.Output.RepairAttempts = MaxRepairAttempts + 1 }), "from 0"},
		{"routes[1].steps[7].chat.parameters.response_format", step(7, func(s *Step) { s.Chat.Parameters = []byte(`{"response_format":{}}`) }), "gateway sets it"},
		{"routes[1].response.body.ok", route(func(r *Route) { r.Response.Body = []byte(`{"ok":"${steps.last.nope}"}`) }), ""},
		{"routes[1].response.format", route(func(r *Route) { r.Response.Format = FormatText }), "only with stream"},
		{"routes[1].response.commit", route(func(r *Route) { r.Response.Commit = CommitImmediately }), "only with stream"},
		{"routes[1].response.keepAlive", route(func(r *Route) { r.Response.KeepAlive = Duration(time.Second) }), "for streams"},
		{"routes[1].response.schema", route(func(r *Route) { r.Response.Schema = []byte(`{"type":1}`) }), ""},
		{"routes[1].response.stream", route(func(r *Route) { r.Response = &Response{Stream: "nope"} }), "no step"},
		{"routes[1].response.stream", route(func(r *Route) { r.Response = &Response{Stream: "note"} }), "not the last"},
		{"routes[1].response.stream", route(func(r *Route) { r.Steps = r.Steps[:5]; r.Response = &Response{Stream: "note"} }), "no tokens"},
		{"routes[1].steps[7].when", route(func(r *Route) { r.Steps[7].When = "${true}"; r.Response = &Response{Stream: "last"} }), "nothing to stream"},
		{"routes[1].steps[7].onError", route(func(r *Route) {
			r.Steps[7].OnError = &OnError{Continue: &Continue{}}
			r.Response = &Response{Stream: "last"}
		}), "want respond"},
		{"routes[1].steps[6]", route(func(r *Route) { r.Response = &Response{Stream: "last", KeepAlive: 1} }), "keepAlive begins"},
		{"routes[1].response.commit", route(func(r *Route) { r.Response = &Response{Stream: "last", Commit: CommitAfterValidation} }), "needs a schema"},
		{"routes[1].response.events", route(func(r *Route) { r.Response = &Response{Events: &Events{}} }), "is empty"},
		{"routes[1].response.events.steps[0]", route(func(r *Route) { r.Response = &Response{Events: &Events{Steps: []string{"note"}}} }), "GATHER.BRANCH"},
		{"routes[1].response.events.steps[1]", route(func(r *Route) { r.Response = &Response{Events: &Events{Steps: []string{"last", "last"}}} }), "already"},
		{"routes[1].steps[6]", route(func(r *Route) { r.Response = &Response{Events: &Events{Progress: true}} }), "progress begins"},
		{"routes[1].steps[6]", route(func(r *Route) { r.Response = &Response{Events: &Events{Steps: []string{"both.guess"}}} }), "begins the answer"},
		{"functions[1].name", func(c *Config) { c.Functions[1].Name = "summary"; c.Routes = c.Routes[:1] }, "another function"},
		{"functions[0].output", func(c *Config) { c.Functions[0].Output = nil }, "required"},
		{"functions[0].steps", func(c *Config) { c.Functions[0].Steps = nil; c.Functions[0].Output = []byte(`"x"`) }, "at least one"},
		{"functions[0].steps[0].chat.messages[0].content", func(c *Config) { c.Functions[0].Steps[0].Chat = ask("${request.body}") }, "input"},
		{"functions[0].steps[0].onError.respond", func(c *Config) {
			c.Functions[0].Steps[0].OnError = &OnError{Respond: &Respond{Status: 200}}
		}, "route's steps only"},
		{"functions[1].steps[0].http.upstream", func(c *Config) { c.Functions[1].Steps[0].HTTP.Upstream = "fast" }, "has a model"},
		{"functions[1].steps[0].http.method", func(c *Config) { c.Functions[1].Steps[0].HTTP.Method = "TRACE" }, "GET, POST"},
		{"functions[1].steps[0].http.path", func(c *Config) { c.Functions[1].Steps[0].HTTP.Path = "/find?q=${input.q}" }, "?"},
		{"functions[1].steps[0].http.query.n", func(c *Config) { c.Functions[1].Steps[0].HTTP.Query["n"] = "${steps.nope}" }, "undefined field"},
		{"functions[1].steps[0].http.headers.Host", func(c *Config) { c.Functions[1].Steps[0].HTTP.Headers["Host"] = "x" }, "gateway sets it"},
		{"functions[1].steps[0].http.headers.Authorization", func(c *Config) { c.Functions[1].Steps[0].HTTP.Headers["Authorization"] = "x" }, "auth"},
		{"functions[1].steps[0].http.allowStatus[0]", func(c *Config) { c.Functions[1].Steps[0].HTTP.AllowStatus[0] = 200 }, "from 300"},
		{"functions[1].steps[1].call.function", func(c *Config) { c.Functions[1].Steps[1].Call.Function = "nope" }, "no function"},
		{"functions[1].steps[1].call.input", func(c *Config) { c.Functions[1].Steps[1].Call.Input = []byte(`[]`) }, "JSON object"},
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
		change func(c *Config)
		want   string
	}{
		"itself": {func(c *Config) {
			c.Functions[0].Steps = append(c.Functions[0].Steps, Step{Name: "again", Action: Action{Call: &Call{Function: "summary"}}})
		}, "functions[0].steps[1].call.function: functions may not call themselves: summary calls summary"},
		"another that calls it": {func(c *Config) {
			c.Functions[0].Steps = append(c.Functions[0].Steps, Step{Name: "again", Action: Action{Call: &Call{Function: "find", Input: []byte(`{"q":"x"}`)}}})
		}, "summary calls find calls summary"},
		"an agent's tool": {func(c *Config) {
			agent := &Agent{Upstream: "fast", Messages: ask("x").Messages, Tools: []string{"summary"}, MaxTurns: 1, MaxParallel: 1}
			c.Functions[0].Steps = append(c.Functions[0].Steps, Step{Name: "again", Action: Action{Agent: agent}})
		}, "functions[0].steps[1].agent.tools[0]: functions may not call themselves"},
		"a branch": {func(c *Config) {
			call := Action{Call: &Call{Function: "summary"}}
			c.Functions[0].Steps = append(c.Functions[0].Steps, Step{Name: "again", Gather: &Gather{
				Strategy: GatherAll, Branches: []Branch{{Name: "a", Action: call}, {Name: "b", Action: Action{Chat: ask("x")}}},
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
	race := &Gather{Strategy: GatherFirst, Branches: []Branch{
		{Name: "a", Action: Action{Chat: ask("a")}}, {Name: "b", Action: Action{Chat: ask("b")}},
	}}
	c := typed()
	c.Routes[1].Steps = []Step{{Name: "race", Gather: race}}
	c.Routes[1].Response = &Response{Body: []byte(`{"t":"${steps.race.text}","b":"${steps.race.branch}","v":"${steps.race.value.text}"}`)}
	if _, errs := Compile(c); len(errs) > 0 {
		t.Error(errs)
	}
	race.Branches[1].Action = Action{Call: &Call{Function: "find", Input: []byte(`{"q":"x"}`)}}
	if _, errs := Compile(c); len(errs) != 1 || !strings.Contains(errs[0].Message, "text") {
		t.Errorf("a race of different kinds: %q", errs)
	}
	c.Routes[1].Response = &Response{Stream: "race"}
	if _, errs := Compile(c); len(errs) != 1 || errs[0].Path != "routes[1].response.stream" {
		t.Errorf("streamed: %q", errs)
	}
}
