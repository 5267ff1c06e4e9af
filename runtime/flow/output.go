package flow

import (
	"context"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/schema"
)

// output makes a model's answer a JSON value that satisfies a schema.
type output struct {
	*program.Output

	asked *llm.Output // nil if only the messages ask for it
}

func newOutput(o *program.Output) *output {
	if o == nil {
		return nil
	}
	return &output{o, wanted(o.Output)}
}

// wanted is the format to request from the upstream, in addition to the messages; nil for none.
func wanted(o *config.Output) *llm.Output {
	switch o.ResponseFormat {
	case config.ResponseNothing:
		return nil
	case config.ResponseJSONObject:
		return &llm.Output{}
	}
	return &llm.Output{Name: "output", Schema: o.Schema}
}

// asker asks a model; an agent asks it several times.
type asker func(ctx context.Context, request *llm.Chat, tokens *outlet) (*llm.Completion, error)

// askUntilValid asks until the answer satisfies the schema, and tells the model each time what was wrong. Nothing is streamed
// before, because it could not be taken back.
func (o *output) askUntilValid(ctx context.Context, f *frame, request *llm.Chat, ask asker) (map[string]any, error) {
	request.Output = o.asked
	for repaired := 0; ; repaired++ {
		done, err := ask(ctx, request, nil)
		if err != nil {
			return nil, err
		}
		said := done.Text
		done.Text = unfenced(said)
		value, violations, err := o.check(ctx, f, done.Text)
		if err != nil {
			return nil, err
		}
		if len(violations) == 0 {
			return o.send(ctx, f, done, value)
		}
		if repaired == o.RepairAttempts {
			return nil, problem.New(problem.OutputInvalid).WithCause(invalid(violations))
		}
		request.Messages = append(request.Messages,
			llm.Message{Role: "assistant", Content: said}, llm.Message{Role: "user", Content: repair(violations)})
	}
}

func (o *output) check(ctx context.Context, f *frame, text string) (any, []problem.Violation, error) {
	if err := f.reserve(ctx, schema.DecodedBytes([]byte(text))); err != nil {
		return nil, nil, err
	}
	return check(ctx, f.env, len(text), func() (any, []problem.Violation, error) {
		return o.Satisfies.CheckText(ctx, []byte(text), "output")
	})
}

func (o *output) send(ctx context.Context, f *frame, done *llm.Completion, value any) (map[string]any, error) {
	if f.tokens != nil {
		text, err := o.written(ctx, f, done.Text)
		if err != nil {
			return nil, err
		}
		done.Text = text
		if err := f.tokens.text(ctx, f.request, done.Text); err != nil {
			return nil, err
		}
	}
	result := f.completed(ctx, done)
	result["output"] = value
	return result, nil
}

// written is a valid answer with the defaults of its schema, which its value has, too.
func (o *output) written(ctx context.Context, f *frame, text string) (string, error) {
	written, _, err := check(ctx, f.env, len(text), func() ([]byte, []problem.Violation, error) {
		return o.Satisfies.CheckAnswer(ctx, []byte(text), "output")
	})
	return string(written), err
}

// unfenced removes the Markdown fence that models like to put around JSON.
func unfenced(text string) string {
	text = strings.TrimSpace(text)
	inner, fenced := strings.CutPrefix(text, "```")
	if !fenced {
		return text
	}
	_, inner, more := strings.Cut(inner, "\n")
	inner, closed := strings.CutSuffix(strings.TrimSpace(inner), "```")
	if !more || !closed {
		return text
	}
	return strings.TrimSpace(inner)
}

// maxTold bounds the violations in a message to the model.
const maxTold = 20

// repair is the message that asks for another answer.
func repair(violations []problem.Violation) string {
	var b strings.Builder
	b.WriteString("Your answer does not satisfy the JSON schema that was asked for:\n")
	for _, v := range violations[:min(len(violations), maxTold)] {
		fmt.Fprintf(&b, "- at %s: %s\n", dotted(v.Loc), v.Msg)
	}
	b.WriteString("Answer again with the corrected JSON value only.")
	return b.String()
}

// dotted is a place in the model's text. The steps of a loc that name a form of a value are not part of the text.
func dotted(loc []any) string {
	parts := make([]string, 0, len(loc))
	for _, step := range loc {
		switch step.(type) {
		case problem.Tag, problem.NumberTag:
		default:
			parts = append(parts, fmt.Sprint(step))
		}
	}
	return strings.Join(parts, ".")
}
