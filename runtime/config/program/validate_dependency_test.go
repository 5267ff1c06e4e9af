package program

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// depending is a config with a function that may refuse, on which a route depends.
func depending() *config.Config {
	c := typed()
	c.Functions = append(c.Functions, config.Function{
		Name: "user", Input: []byte(`{"type":"object","properties":{"token":{"type":"string"}},"required":["token"]}`),
		Steps: []config.Step{
			{Name: "refused", When: "${input.token == ''}", Respond: &config.Respond{Status: 401}},
			{Name: "name", Set: &config.Set{Value: []byte(`{"name":"${input.token}"}`)}},
		},
		Output: []byte(`"${steps.name}"`),
	})
	c.Routes[1].Dependencies = []config.Dependency{
		{Name: "user", Call: config.Call{Function: "user", Input: []byte(`{"token":"${request.params.q.orValue('')}"}`)}},
		{Name: "again", Call: config.Call{Function: "user", Input: []byte(`{"token":"${dependencies.user.name}"}`)}},
	}
	c.Routes[1].Steps[4].Set.Value = []byte(`{"n":"${request.params.id + 1}","who":"${dependencies.again.name + dependencies.user.name}"}`)
	return c
}

// TestDependencies: each has the type of its function's output, for the steps and for those after it, and all else is refused.
func TestDependencies(t *testing.T) {
	if errs := Validate(depending()); len(errs) > 0 {
		t.Fatal(errs)
	}
	on := func(i int, change func(d *config.Dependency)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Routes[1].Dependencies[i]) }
	}
	step := func(change func(s *config.Step)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Functions[2].Steps[0]) }
	}
	for _, tt := range []struct {
		path   string
		change func(*config.Config)
		want   string
	}{
		{"routes[1].dependencies[0].name", on(0, func(d *config.Dependency) { d.Name = "a-b" }), "not a valid name"},
		{"routes[1].dependencies[1].name", on(1, func(d *config.Dependency) { d.Name = "user" }), "the name of another dependency"},
		{"routes[1].dependencies[0].function", on(0, func(d *config.Dependency) { d.Function = "none" }), "there is no function"},
		{"routes[1].dependencies[0].input.token", on(0, func(d *config.Dependency) { d.Input = []byte(`{"token":1}`) }), "never allows this value"},
		{"routes[1].dependencies[0].input.token", on(0, func(d *config.Dependency) { d.Input = []byte(`{"token":"${dependencies.again.name}"}`) }), "again"},
		{"routes[1].dependencies[0].input.token", on(0, func(d *config.Dependency) { d.Input = []byte(`{"token":"${steps.each}"}`) }), "each"},
		{"routes[1].steps[4].set.value.n", func(c *config.Config) {
			c.Routes[1].Steps[4].Set.Value = []byte(`{"n":"${dependencies.user.name + 1}"}`)
		}, "no matching overload"},
		{"routes[0].response.body.a", func(c *config.Config) { c.Routes[0].Response.Body = []byte(`{"a":"${dependencies.user}"}`) }, "dependencies"},
		{"functions[2].output", func(c *config.Config) { c.Functions[2].Output = []byte(`"${dependencies.user}"`) }, "dependencies"},
		{"functions[2].steps[0].respond.status", step(func(s *config.Step) { s.Respond.Status = 302 }), "want from 400 to 599"},
		{"functions[2].steps[0].respond.headers.Location", step(func(s *config.Step) { s.Respond.Headers = map[string]string{"Location": "/"} }), "want location"},
		{"routes[0].steps[0].call.function", func(c *config.Config) {
			c.Routes[0].Steps[0].Action = config.Action{Call: &config.Call{Function: "user", Input: []byte(`{"token":"x"}`)}}
			c.Routes[0].Response.Body = []byte(`1`)
		}, `the function "user" has steps[0].respond, which is for dependencies; want a function without respond here, or "user" among the dependencies`},
		{"functions[1].steps[1].call.function", func(c *config.Config) {
			c.Functions[1].Steps[1].Call = &config.Call{Function: "user", Input: []byte(`{"token":"x"}`)}
			c.Functions[1].Output = []byte(`1`)
			c.Routes = c.Routes[:1]
		}, "which is for dependencies"},
		{"routes[1].steps[5].agent.tools[0]", func(c *config.Config) { c.Routes[1].Steps[5].Agent.Tools = []string{"user"} }, "which is for dependencies"},
		{"functions[2].steps[1].onError.respond.status", func(c *config.Config) {
			c.Functions[2].Steps[1].OnError = &config.OnError{Respond: &config.Respond{Status: 200}}
		}, "can only refuse"},
		{"routes[1].dependencies[0].function", on(0, func(d *config.Dependency) { d.Function = "${x}" }), "not a template"},
	} {
		c := depending()
		tt.change(c)
		found := false
		for _, e := range Validate(c) {
			found = found || e.Path == tt.path && strings.Contains(e.Message, tt.want)
		}
		if !found {
			t.Errorf("no error of %s that says %q among %v", tt.path, tt.want, Validate(c))
		}
	}
}

// TestAnAnswerToAFailureIsForDependencies: a function that refuses if a step of it fails is for dependencies, too.
func TestAnAnswerToAFailureIsForDependencies(t *testing.T) {
	c := typed()
	c.Functions[0].Steps[0].OnError = &config.OnError{Respond: &config.Respond{Status: 503}}
	errs := Validate(c)
	if len(errs) == 0 || errs[0].Path != "functions[1].steps[1].call.function" || !strings.Contains(errs[0].Message, "has steps[0].onError.respond") {
		t.Error(errs)
	}
}

// TestTokensOfDependenciesAreLimited: a budget of tokens holds for the functions that a route depends on.
func TestTokensOfDependenciesAreLimited(t *testing.T) {
	c := depending()
	c.Functions[2].Steps[1] = config.Step{Name: "name", Action: config.Action{Chat: ask("x")}}
	c.Functions[2].Steps[1].Chat.Parameters = []byte(`{"max_tokens":null}`)
	c.Functions[2].Output = []byte(`{"name":"${steps.name.text}"}`)
	c.Routes[1].Budget.MaxTokens = 100
	errs := Validate(c)
	if len(errs) != 1 || errs[0].Path != "functions[2].steps[1].chat.parameters.max_tokens" {
		t.Error(errs)
	}
}

// serviceWide is a config of which each route depends on a function that reads a header.
func serviceWide() *config.Config {
	c := depending()
	c.Dependencies = []config.ServiceDependency{
		{
			Dependency: config.Dependency{Name: "caller", Call: config.Call{Function: "user", Input: []byte(`{"token":"${request.params.` + "`X-Key`" + `}"}`)}},
			Parameters: []config.Parameter{{Name: "X-Key", In: config.InHeader, Required: true}, {Name: "trace", In: config.InQuery}},
		},
		{Dependency: config.Dependency{
			Name: "named", Call: config.Call{Function: "user", Input: []byte(`{"token":"${dependencies.caller.name + request.path}"}`)},
		}},
	}
	c.Routes[0].Response.Body = []byte(`{"a":"${dependencies.named.name + request.params.` + "`X-Key`" + `}"}`)
	return c
}

// TestDependenciesOfAService: each route reads their parameters and values, and has them before its own; all else is refused, once
// and at the service's field.
func TestDependenciesOfAService(t *testing.T) {
	p, errs := Compile(serviceWide())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var names []string
	for _, s := range p.Routes[1].Dependencies {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "caller named user again" || len(p.Routes[0].Dependencies) != 2 {
		t.Errorf("dependencies %s, want those of the service first", got)
	}
	on := func(change func(d *config.ServiceDependency)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Dependencies[0]) }
	}
	parameter := func(p config.Parameter) func(*config.Config) {
		return on(func(d *config.ServiceDependency) { d.Parameters[1] = p })
	}
	for _, tt := range []struct {
		path   string
		change func(*config.Config)
		want   string
	}{
		{"dependencies", func(c *config.Config) { c.Routes, c.Models = nil, nil }, "want a route, or no dependencies"},
		{"dependencies[0].name", on(func(d *config.ServiceDependency) { d.Name = "a-b" }), "not a valid name"},
		{"dependencies[0].input.token", on(func(d *config.ServiceDependency) { d.Input = []byte(`{"token":"${request.body.q}"}`) }), "body"},
		{"dependencies[0].input.token", on(func(d *config.ServiceDependency) { d.Input = []byte(`{"token":"${request.params.id}"}`) }), "id"},
		{"dependencies[0].parameters[1].in", parameter(config.Parameter{Name: "a", In: config.InPath}), "want one of Query, Header, Cookie"},
		{"dependencies[0].parameters[1].schema", parameter(config.Parameter{Name: "a", In: config.InQuery, Schema: []byte(`{"type":"objekt"}`)}), "schema at /type"},
		{"dependencies[0].parameters[1].name", parameter(config.Parameter{Name: "x-key", In: config.InQuery}), "the name of a parameter of the service's dependencies"},
		{"routes[1].request.parameters[0].name", parameter(config.Parameter{Name: "ID", In: config.InQuery}), "a parameter of the service's dependencies"},
		{"routes[1].dependencies[0].name", func(c *config.Config) { c.Dependencies[1].Name = "user" }, "the name of another dependency"},
		{"dependencies[1].name", func(c *config.Config) { c.Dependencies[1].Name = "caller" }, "the name of another dependency"},
	} {
		c := serviceWide()
		c.Routes[1].Request.AssertFormats, c.Routes[1].Request.EchoInput = true, true // which reads the parameters anew
		tt.change(c)
		errs, found := Validate(c), 0
		for _, e := range errs {
			if e.Path == tt.path && strings.Contains(e.Message, tt.want) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d of %v, want one at %s: …%s", found, errs, tt.path, tt.want)
		}
	}
}

// TestModelsOfAServiceWithDependencies: a model's client sends headers and cookies, but no query.
func TestModelsOfAServiceWithDependencies(t *testing.T) {
	for in, want := range map[string]int{config.InHeader: 0, config.InCookie: 0, config.InQuery: 1} {
		c := serviceWide()
		c.Dependencies[0].Parameters[0].In = in
		c.Routes = append(c.Routes, config.Route{
			Path: "/asked", Method: "POST", Timeout: c.Routes[0].Timeout, Budget: c.Routes[0].Budget, Response: &config.Response{Body: []byte(`"a"`)},
		})
		c.Models = append(c.Models, config.Model{Name: "asked", Route: &config.ModelRoute{Path: "/asked", Body: []byte(`{}`)}})
		errs := Validate(c)
		if len(errs) != want || want > 0 && !strings.Contains(errs[0].Message, `requires the query parameter "X-Key"`) {
			t.Errorf("%s: %v, want %d", in, errs, want)
		}
	}
}

// TestTokensOfAServiceAreLimited: a budget of tokens holds for the functions that the service depends on.
func TestTokensOfAServiceAreLimited(t *testing.T) {
	c := serviceWide()
	c.Routes[1].Budget.MaxTokens = 100
	c.Functions[2].Steps = append(c.Functions[2].Steps[:1:1], config.Step{Name: "name", Action: config.Action{Chat: &config.Chat{
		Upstream: c.Upstreams[0].Name, Messages: []config.Message{{Role: "user", Content: "x"}}, Parameters: []byte(`{"max_tokens":null}`),
	}}})
	c.Functions[2].Output = []byte(`{"name":"${steps.name.text}"}`)
	c.Routes[1].Dependencies = nil
	c.Routes[1].Steps[4].Set.Value = []byte(`{"n":"${request.params.id + 1}"}`)
	errs := Validate(c)
	if len(errs) != 1 || !strings.Contains(errs[0].Message, "budget.maxTokens") {
		t.Errorf("%v, want one about max_tokens", errs)
	}
}
