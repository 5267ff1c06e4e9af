package flow

import (
	"cmp"
	"context"
	"fmt"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

func (r *Route) answering() answer {
	said, kept := r.Response, r.promise()
	switch {
	case said.Events != nil:
		return &eventStream{said, kept}
	case said.Stream == "":
		return &wholeAnswer{said, kept}
	}
	front := r.env.Fronts[cmp.Or(said.Format, config.FormatOpenAI)]
	if only := r.relayedChat(); only != nil && front != nil {
		return &relayedStream{chat: only, Response: said, front: front}
	}
	return &tokenStream{said, front, kept}
}

// wholeAnswer answers once all steps are done.
type wholeAnswer struct {
	*program.Response

	promise promise
}

func (w *wholeAnswer) verdict(ctx context.Context, q *request, vars map[string]any) relay.Verdict {
	return relay.Verdict{Produce: func(context.Context) *relay.Reply {
		defer q.end()
		reply, err := w.produce(ctx, q.frame(vars))
		if err != nil {
			return q.refuse(because(ctx, err))
		}
		return reply
	}}
}

func (w *wholeAnswer) produce(ctx context.Context, f *frame) (*relay.Reply, error) {
	if err := runSteps(ctx, f.steps, f); err != nil {
		return nil, err
	}
	var encoded []byte
	if w.Body != nil {
		var err error
		if encoded, err = body(ctx, f, w.Body, &w.promise); err != nil {
			return nil, err
		}
	}
	reply, err := f.reply(ctx, w.Head, w.Body, encoded)
	if err != nil {
		return nil, fmt.Errorf("response.%w", err)
	}
	reply.Status = w.StatusCode()
	return reply, nil
}

// body evaluates a response's body, and checks that it keeps its promise.
func body(ctx context.Context, f *frame, tree *expr.Tree, p *promise) ([]byte, error) {
	encoded, err := f.json(ctx, tree)
	if err != nil {
		return nil, fmt.Errorf("response.body: %w", err)
	}
	return p.keep(ctx, f, tree, encoded)
}

// promise is what a route's answers have to satisfy.
type promise struct {
	schema *schema.Schema // nil if there is none
	// text means that the schema is one of strings: it applies to a streamed answer itself, and not to JSON in it.
	text bool
	// check checks a whole answer, and writes it as it is to be sent.
	check func(context.Context, []byte, ...any) ([]byte, []problem.Violation, error)
}

// inResponse is where violations of a promise are.
var inResponse = []any{"response"}

func (r *Route) promise() promise {
	s := r.Response.Satisfies
	p := promise{schema: s, text: s != nil && s.IsText(), check: s.CheckResponse}
	if r.Response.UnknownMembers == config.UnknownMembersKeep {
		p.check = s.CheckAnswer
	}
	return p
}

// keep writes an answer as promised: with the schema's defaults, and without members that the schema does not name, unless the
// route decides otherwise. If an upstream had a part in an answer that breaks its promise, only the log and the metric show
// how, not the client's error.
func (p *promise) keep(ctx context.Context, f *frame, tree *expr.Tree, encoded []byte) ([]byte, error) {
	if p.schema == nil {
		return encoded, nil
	}
	sent, violations, err := check(ctx, f.env, len(encoded), func() ([]byte, []problem.Violation, error) {
		return p.check(ctx, encoded, inResponse...)
	})
	if err != nil {
		return nil, err
	}
	if len(violations) > 0 && violations[0].Type == problem.TypeJSONInvalid && tree != nil && !f.originOf(tree.Reads()).upstream {
		// It is valid JSON, so it is too large or too deep to be checked.
		return nil, f.misfit(tree.Reads(), "makes an answer that is too large to be checked", invalid(violations))
	}
	if tree != nil && len(violations) > 0 {
		// The client gets the error if the wrong places were made only of its request, because another request may succeed.
		reads := readsAt(tree, violations)
		if from := f.originOf(reads); !from.upstream && len(from.places) > 0 {
			return nil, f.misfit(reads, "makes an answer that breaks this route's response schema", invalid(violations))
		}
	}
	return sent, f.keptPromise(violations)
}

// kept checks a streamed answer against its promise. Its text is checked as it was sent, because nothing can be added to it.
func (p *promise) kept(ctx context.Context, f *frame, text string) error {
	encoded := []byte(text)
	if p.text {
		encoded = rawjson.Quote(text)
	}
	_, violations, err := check(ctx, f.env, len(encoded), func() (any, []problem.Violation, error) {
		violations, err := p.schema.CheckAsSent(ctx, encoded, inResponse...)
		return nil, violations, err
	})
	if err != nil {
		return err
	}
	return f.keptPromise(violations)
}

func (f *frame) keptPromise(violations []problem.Violation) error {
	if len(violations) == 0 {
		return nil
	}
	broken := relay.Failure{Kind: relay.FailedSchema}
	f.env.InvalidAnswer(f.Path)
	f.env.Report(f.record, f.Path, upstream.Problem(broken).WithCause(invalid(violations))) // so that the reason is reported once
	return broken
}
