package flow

import (
	"context"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// agent lets a model call functions until it has an answer.
type agent struct {
	*program.Agent

	target target
	prompt prompt
	tools  []llm.Tool
	calls  map[string]*function
	output *output
}

// Agent implements program.Kinds.
func (c *compiler) Agent(a *program.Agent) made {
	target, err := c.target(a.Candidates(), a.Choice)
	compiled := &agent{
		Agent: a, target: target, prompt: prompt{a.Messages, a.Parameters}, output: newOutput(a.Output),
		calls: map[string]*function{},
	}
	for _, f := range a.Tools {
		compiled.calls[f.Name] = c.functions[f]
		compiled.tools = append(compiled.tools, llm.Tool{Name: f.Name, Description: f.Description, Parameters: f.Takes()})
	}
	return made{compiled, err}
}

// dialogue is one run of an agent.
type dialogue struct {
	*agent

	upstream *upstream.Upstream
	frame    *frame
	bill     bill
	turns    int
	history  []any // the tool calls
}

func (a *agent) perform(ctx context.Context, f *frame) (any, error) {
	target, err := a.target.of(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("agent.%w", err)
	}
	request, err := a.prompt.request(ctx, f)
	if err != nil {
		return nil, err
	}
	request.Tools = a.tools
	d := &dialogue{agent: a, upstream: target, frame: f, history: []any{}}
	var value map[string]any
	if a.output != nil {
		value, err = a.output.askUntilValid(ctx, f, request, d.ask)
	} else {
		value, err = d.text(ctx, request)
	}
	if err != nil {
		return nil, err
	}
	value["upstream"], value["turns"], value["toolCalls"] = target.Name, int64(d.turns), d.history
	return value, nil
}

func (d *dialogue) text(ctx context.Context, request *llm.Chat) (map[string]any, error) {
	done, err := d.ask(ctx, request, d.frame.tokens.written())
	if err != nil {
		return nil, err
	}
	return d.frame.completed(ctx, done), nil
}

// ask lets the model take turns until it calls no more tools. The tools of the last turn are not called, because the model
// would not get their results.
func (d *dialogue) ask(ctx context.Context, request *llm.Chat, tokens *outlet) (*llm.Completion, error) {
	for d.turns < d.MaxTurns {
		d.turns++
		done, err := d.frame.complete(ctx, d.upstream, request, tokens)
		if err != nil {
			return nil, err
		}
		d.bill.add(done)
		switch calls := len(done.ToolCalls); {
		case calls == 0:
			return done, nil
		case d.turns == d.MaxTurns:
			continue
		}
		answers, err := d.callAll(ctx, done.ToolCalls)
		if err != nil {
			return nil, err
		}
		turn := done.Turn() //nolint:contextcheck // it is written anew only if that is necessary, and then within bounds
		request.Messages = append(append(request.Messages, turn), answers...)
	}
	return nil, problem.New(problem.TurnsExceeded)
}

// callAll calls the tools, several at once. If one fails, the model gets its error as the result; only the end of the request
// ends the others.
func (d *dialogue) callAll(ctx context.Context, calls []llm.ToolCall) ([]llm.Message, error) {
	beside := *d
	beside.frame = d.frame.parted().beside(min(d.MaxParallel, len(calls)))
	results, err := gather.Each(ctx, gather.EachOptions{Limit: d.MaxParallel}, calls,
		func(ctx context.Context, _ int, call llm.ToolCall) (toolResult, error) {
			defer beside.frame.parts.begin()()
			return beside.call(ctx, call)
		})
	tellPanics(d.frame, results)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the call
	}
	answers := make([]llm.Message, len(results))
	for i, r := range results {
		d.history = append(d.history, r.Value.entry)
		answers[i] = llm.Message{Role: "tool", ToolCallID: calls[i].ID, Content: r.Value.answer}
	}
	return answers, nil
}

// toolResult is the result of a call for the model, and for templates.
type toolResult struct {
	answer string
	entry  map[string]any
}

func (d *dialogue) call(ctx context.Context, call llm.ToolCall) (toolResult, error) {
	f := d.frame
	f.tellTool(call, stateStarted)
	result := toolResult{entry: map[string]any{"name": call.Name}}
	value, told, err := d.evaluate(ctx, call, result.entry)
	if err == nil && told == nil {
		f.tellTool(call, stateSucceeded)
		result.entry["output"] = value
		answer, err := plain(value)
		result.answer = answer
		return result, err
	}
	f.tellTool(call, stateFailed)
	if err != nil {
		if d.ends(ctx, err) {
			return result, fmt.Errorf("tool %s: %w", call.Name, err)
		}
		told = f.errorValue(err)
	}
	result.entry["error"] = told
	answer, err := plain(map[string]any{"error": told})
	result.answer = answer
	return result, err
}

// ends reports whether a tool's failure ends the request: its time or budget is used up.
func (d *dialogue) ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || relay.FailureKindOf(err) == relay.FailedBudget
}

// evaluate calls a function for the model. It returns the model's mistakes as a message for the model.
func (d *dialogue) evaluate(ctx context.Context, call llm.ToolCall, entry map[string]any) (any, any, error) {
	function, ok := d.calls[call.Name]
	if !ok {
		names := make([]string, 0, len(d.tools))
		for _, t := range d.tools {
			names = append(names, t.Name)
		}
		return nil, map[string]any{"code": "unknown_tool", "message": "The only tools are " + strings.Join(names, ", ") + "."}, nil
	}
	input, mistake := arguments(ctx, call.Arguments)
	if mistake != "" {
		return nil, invalidArguments(mistake), nil
	}
	entry["arguments"] = input
	checked, violations, err := function.check(ctx, d.frame, input)
	if err != nil {
		return nil, nil, err
	}
	if len(violations) > 0 {
		return nil, invalidArguments(repairArguments(violations)), nil
	}
	value, err := function.invoke(ctx, d.frame, checked, func([]any) origin { return origin{upstream: true} }, nil)
	return value, nil, err
}

// arguments reads the arguments that a model wrote, and returns its mistakes in words for the model. They are read as leniently
// as an upstream's answer, which they are a part of. For a tool without arguments, models write nothing, blanks or null as well
// as an empty object.
func arguments(ctx context.Context, text string) (any, string) {
	if text = strings.TrimSpace(text); text == "" || text == "null" {
		return map[string]any{}, ""
	}
	value, err := schema.DecodeLenient(ctx, []byte(text))
	if err != nil {
		return nil, fmt.Sprintf("The arguments are not valid JSON: %v. Write one JSON object.", err)
	}
	if _, ok := value.(map[string]any); !ok {
		return nil, "The arguments must be one JSON object."
	}
	return value, ""
}

func invalidArguments(message string) map[string]any {
	return map[string]any{"code": "invalid_arguments", "message": message}
}

func repairArguments(violations []problem.Violation) string {
	texts := make([]string, 0, maxTold)
	for _, v := range violations[:min(len(violations), maxTold)] {
		texts = append(texts, fmt.Sprintf("at %s: %s", dotted(v.Loc), v.Msg))
	}
	return strings.Join(texts, "; ")
}
