package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/bounds"
)

// Where all who could win may be left out, the type says that there may be no value.
func TestAGatherThatMayBeSkipped(t *testing.T) {
	branches := func(whens ...string) []config.Branch {
		all := make([]config.Branch, len(whens))
		for i, when := range whens {
			all[i] = config.Branch{Name: fmt.Sprintf("b%d", i), When: when, Action: config.Action{Chat: ask("x")}}
		}
		return all
	}
	const when = "${request.body.topic == 'x'}"
	vote := func(quorum int, ties string) *config.Vote {
		return &config.Vote{Key: "${result.text}", Quorum: quorum, Ties: ties}
	}
	for name, tt := range map[string]struct {
		gather  config.Gather
		skipped bool
	}{
		"First, one is certain":        {config.Gather{Strategy: config.GatherFirst, Branches: branches(when, "")}, false},
		"First, none is":               {config.Gather{Strategy: config.GatherFirst, Branches: branches(when, when)}, true},
		"First, of opposites":          {config.Gather{Strategy: config.GatherFirst, Branches: branches(when, "${!(request.body.topic == 'x')}")}, false},
		"Fallback, none is":            {config.Gather{Strategy: config.GatherFallback, Branches: branches(when, when)}, true},
		"All, none is":                 {config.Gather{Strategy: config.GatherAll, Branches: branches(when, when)}, false},
		"Vote, a majority is certain":  {config.Gather{Strategy: config.GatherVote, Vote: vote(0, config.TiesFail), Branches: branches("", "", when)}, false},
		"Vote, a majority is not":      {config.Gather{Strategy: config.GatherVote, Vote: vote(0, config.TiesFail), Branches: branches("", when, when)}, true},
		"Vote, a quorum is":            {config.Gather{Strategy: config.GatherVote, Vote: vote(1, config.TiesFail), Branches: branches("", when, when)}, false},
		"Vote, most votes of one":      {config.Gather{Strategy: config.GatherVote, Vote: vote(0, config.TiesMostVotes), Branches: branches("", when, when)}, false},
		"Vote, most votes of nobody":   {config.Gather{Strategy: config.GatherVote, Vote: vote(0, config.TiesMostVotes), Branches: branches(when, when, when)}, true},
		"Vote, of all, one may not be": {config.Gather{Strategy: config.GatherVote, Vote: vote(3, config.TiesFail), Branches: branches("", "", when)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := typed()
			c.Routes[1].Steps = []config.Step{{Name: "g", Gather: &tt.gather}}
			c.Routes[1].Response = &config.Response{Body: []byte(`"${steps.?g.hasValue()}"`)}
			if _, errs := Compile(c); len(errs) > 0 {
				t.Fatal(errs)
			}
			if least := bounds.Of(c, &c.Routes[1], 0).Calls.Min; (least == 0) != (tt.skipped || tt.gather.Strategy == config.GatherAll) {
				t.Errorf("at least %d calls", least)
			}
			c.Routes[1].Response = &config.Response{Body: []byte(`"${steps.g}"`)}
			_, errs := Compile(c)
			if got := len(errs) == 1 && strings.Contains(errs[0].Message, ".orValue("); got != tt.skipped {
				t.Errorf("errors %q, want one: %v", errs, tt.skipped)
			}
			if tt.gather.Strategy != config.GatherFirst {
				return
			}
			c.Routes[1].Response = &config.Response{Stream: "g"}
			_, errs = Compile(c)
			if got := len(errs) == 1 && errs[0].Path == "routes[1].steps[0].gather.branches"; got != tt.skipped {
				t.Errorf("streamed: %q, want an error: %v", errs, tt.skipped)
			}
		})
	}
}

// A null in text is found when the config loads, wherever text is wanted.
func TestNullsInTextAreRefused(t *testing.T) {
	for path, change := range map[string]func(r *config.Route, null string){
		"routes[1].steps[0].chat.messages[0].content": func(r *config.Route, null string) {
			r.Steps = []config.Step{{Name: "s", Action: config.Action{Chat: ask(null)}}}
		},
		"routes[1].steps[0].embeddings.input": func(r *config.Route, null string) {
			r.Steps = []config.Step{{Name: "s", Action: config.Action{Embeddings: &config.Embeddings{Upstream: "fast", Input: null}}}}
		},
		"routes[1].steps[0].http.path": func(r *config.Route, null string) {
			r.Steps = []config.Step{{Name: "s", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "search", Method: "GET", Path: "/" + null}}}}
		},
		"routes[1].steps[0].http.query.q": func(r *config.Route, null string) {
			r.Steps = []config.Step{{Name: "s", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "search", Method: "GET", Path: "/", Query: map[string]string{"q": "<" + null + ">"}}}}}
		},
		"routes[1].response.body.a": func(r *config.Route, null string) { r.Response.Body = []byte(`{"a":"is ` + null + `"}`) },
	} {
		c := typed()
		c.Routes[1].Request.Schema = []byte(`{"type":"object","properties":{"maybe":{"type":["string","null"],"default":null}}}`)
		c.Routes[1].Steps, c.Routes[1].Response = nil, &config.Response{Body: []byte(`1`)}
		change(&c.Routes[1], "${request.body.maybe}")
		if _, errs := Compile(c); len(errs) != 1 || errs[0].Path != path || !strings.Contains(errs[0].Message, ".orValue(") {
			t.Errorf("%s: %q", path, errs)
		}
		change(&c.Routes[1], "${request.body.maybe.orValue('-')}")
		if _, errs := Compile(c); len(errs) > 0 {
			t.Errorf("%s, with a value in its place: %q", path, errs)
		}
	}
}
