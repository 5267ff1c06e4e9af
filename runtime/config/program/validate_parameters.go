package program

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

var responseFormats = []string{config.ResponseSchema, config.ResponseJSONObject, config.ResponseNothing}

// reserved are the members of an upstream's request that the gateway sets itself, and what to write in their place.
var reserved = map[string]string{
	"model":           "the upstream's openAI.model",
	"messages":        "the step's messages",
	"input":           "an embeddings step's input",
	"stream":          "the route's response.stream or response.events",
	"tools":           "an agent step, whose tools are functions",
	"tool_choice":     "an agent step, which lets the model choose",
	"n":               "a forEach or a gather, since a step reads one answer",
	"response_format": "output.responseFormat",
}

// parameters are further members of an upstream's request. What they say wins over what the gateway would add, so that only
// what it cannot do without is reserved, in any spelling: some servers take one for the other.
func (v *validator) parameters(path string, raw jsontext.Value, at *place, o *config.Output) *expr.Tree {
	if raw == nil {
		return nil
	}
	members := v.object(path, raw)
	if members == nil {
		return nil
	}
	for _, name := range sorted(members) {
		lower := strings.ToLower(name)
		instead, own := reserved[lower]
		if lower == "response_format" {
			own = o != nil && o.ResponseFormat != config.ResponseNothing
		}
		if own {
			v.addf(path+"."+name, "may not be set here, the gateway sets it; want %s", instead)
		}
	}
	v.streamOptions(path+"."+streamOptions, members[streamOptions])
	compiled, _ := v.tree(path, raw, at)
	if compiled != nil {
		v.satisfiesOurs(path, compiled.Known(v.known.constants), parametersSchema, "OpenAI's API")
	}
	return compiled
}

const (
	streamOptions = config.StreamOptions
	includeUsage  = "include_usage"
)

func (v *validator) streamOptions(path string, raw jsontext.Value) {
	var options map[string]jsontext.Value
	switch kind := raw.Kind(); {
	case raw == nil || kind == 'n' || isTemplate(raw):
		return
	case kind != '{' || json.Unmarshal(raw, &options) != nil:
		v.addf(path, "want an object, or null to leave it out")
		return
	}
	usage := options[includeUsage]
	if usage != nil && !isTemplate(usage) && !slices.Contains([]jsontext.Kind{'t', 'f', 'n'}, usage.Kind()) {
		v.addf(path+"."+includeUsage, "want true or false")
	}
}

// encodingFormat checks that the vectors will be ones that can be read.
func (v *validator) encodingFormat(path string, parameters jsontext.Value) {
	format := member(parameters, "encoding_format")
	if format == nil || format.Kind() == 'n' || isTemplate(format) {
		return
	}
	if text := string(format); text != `"float"` && text != `"base64"` {
		v.addf(path, "want float or base64, or null to leave it out")
	}
}

// isTemplate reports whether a value is known only when a request is there.
func isTemplate(raw jsontext.Value) bool {
	return raw.Kind() == '"' && strings.Contains(string(raw), "${")
}

// member is a member of an object; nil if there is none.
func member(raw jsontext.Value, name string) jsontext.Value {
	var members map[string]jsontext.Value
	if raw == nil || json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members[name]
}

// countable refuses what would keep a budget of tokens from being kept: streams that report none, and calls that the
// gateway may not limit to what is left.
func (v *validator) countable(path string, r *config.Route) {
	if r.Budget.MaxTokens == 0 {
		return
	}
	v.limitable(dependencies, v.source.Depends(), path)
	v.limitable(path+".dependencies", r.Depends(), path)
	v.limitable(path+".steps", r.Steps, path)
	for i := range r.Steps {
		s, here := &r.Steps[i], config.Item(path+".steps", i)
		v.reportsOf(here, s, func(branch string) bool { return v.streams(r, s.Name) || v.streams(r, s.Name+branch) })
	}
}

// reportsOf checks a step, and the branches of a gather, as far as their tokens are streamed: each is asked about by the end of its
// name.
func (v *validator) reportsOf(path string, s *config.Step, streamed func(branch string) bool) {
	if streamed("") {
		v.reports(path, &s.Action)
	}
	if s.Gather == nil {
		return
	}
	for j := range s.Gather.Branches {
		if b := &s.Gather.Branches[j]; streamed("." + b.Name) {
			v.reports(config.Item(path+".gather.branches", j), &b.Action)
		}
	}
}

// streams reports whether the tokens of a step, or of a branch, are sent as they come.
func (v *validator) streams(r *config.Route, name string) bool {
	return r.Response != nil && r.Response.Stream == name || slices.Contains(v.source.Sources(r), name)
}

// asked is what an action asks a model with; output says that nothing of it is streamed.
func asked(a *config.Action) (kind string, among []string, parameters jsontext.Value, output *config.Output) {
	switch {
	case a.Chat != nil:
		return "chat", a.Chat.Candidates(), a.Chat.Parameters, a.Chat.Output
	case a.Agent != nil:
		return "agent", a.Agent.Candidates(), a.Agent.Parameters, a.Agent.Output
	}
	return "", nil, nil, nil
}

func (v *validator) reports(path string, a *config.Action) {
	if a.Call != nil {
		v.reportsThrough(v.functions[a.Call.Function])
		return
	}
	kind, among, parameters, output := asked(a)
	for _, upstream := range among {
		if u := v.upstreams[upstream]; output == nil && u != nil && u.OpenAI != nil && !u.OpenAI.Takes(streamOptions) {
			v.addf(path+"."+kind+".upstream",
				"%q omits stream_options, which would leave the stream's tokens uncounted: budget.maxTokens wants one that takes it", upstream)
			return
		}
	}
	options := member(parameters, streamOptions)
	if options == nil || output != nil {
		return
	}
	path += "." + kind + ".parameters." + streamOptions
	usage := member(options, includeUsage)
	switch {
	case options.Kind() == '{' && (usage == nil || usage.Kind() == 't'):
		return
	case options.Kind() == '{':
		path += "." + includeUsage
	}
	v.addf(path,
		"would leave the stream's tokens uncounted, but budget.maxTokens needs the count; want include_usage: true, or no such member")
}

// reportsThrough checks the step of a function that streams, once.
func (v *validator) reportsThrough(f *function) {
	if f == nil || f.config.Stream == "" || f.counted {
		return
	}
	f.counted = true
	i := len(f.config.Steps) - 1
	v.reportsOf(config.Item(f.path+".steps", i), &f.config.Steps[i], func(string) bool { return true })
}

// limitable checks the steps, and the functions that they call.
func (v *validator) limitable(path string, steps []config.Step, route string) {
	v.eachAction(path, steps, map[string]bool{}, func(path string, a *config.Action) {
		kind, _, parameters, _ := asked(a)
		tokens, completion := member(parameters, "max_tokens"), member(parameters, "max_completion_tokens")
		if tokens.Kind() == 'n' && (completion == nil || completion.Kind() == 'n') {
			v.addf(path+"."+kind+".parameters.max_tokens",
				"would leave answers without the limit that %s.budget.maxTokens sets; want max_completion_tokens as well, or no null", route)
		}
	})
}

// eachAction visits the actions of steps and of the functions that they call, each function once.
func (v *validator) eachAction(path string, steps []config.Step, seen map[string]bool, visit func(path string, a *config.Action)) {
	within := func(path string, a *config.Action) {
		visit(path, a)
		for _, name := range calls(a) {
			if f := v.functions[name]; f != nil && !seen[name] {
				seen[name] = true
				v.eachAction(f.path+".steps", f.config.Steps, seen, visit)
			}
		}
	}
	for i := range steps {
		s, here := &steps[i], config.Item(path, i)
		within(here, &s.Action)
		if s.Gather != nil {
			for j := range s.Gather.Branches {
				within(config.Item(here+".gather.branches", j), &s.Gather.Branches[j].Action)
			}
		}
		if s.ForEach != nil {
			within(here+".forEach.do", &s.ForEach.Do.Action)
		}
	}
}

// calls are the functions that an action may call.
func calls(a *config.Action) []string {
	switch {
	case a.Call != nil:
		return []string{a.Call.Function}
	case a.Agent != nil:
		return a.Agent.Tools
	}
	return nil
}

func sorted(members map[string]jsontext.Value) []string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
