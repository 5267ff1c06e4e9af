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
