package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/schema"
)

// Model is a route that clients use as a model. It may be used by many goroutines.
type Model struct {
	*program.Model

	route *Route
}

// Models are those of a program that routes answer, by name.
func Models(p *program.Program, routes []*Route) map[string]*Model {
	models := make(map[string]*Model, len(p.Models))
	for _, m := range p.Models {
		at := slices.IndexFunc(routes, func(r *Route) bool { return r.Route == m.AnsweredBy })
		models[m.Name] = &Model{m, routes[at]}
	}
	return models
}

// Answer answers a client's conversation as the route answers the request that is made from it: with its steps, its timeout,
// its budget and its promise. req is the client's request to the model.
func (m *Model) Answer(ctx context.Context, req *relay.Request, d *llm.Dialogue) relay.Verdict {
	if req.Memory == nil {
		req.Memory = relay.Unlimited
	}
	a := &modelAnswer{Dialogue: d, request: newRequest(ctx, m.route, req, d.Chat.Stream)}
	a.model = d.Model
	ctx = a.within(ctx)
	vars, err := m.vars(ctx, a.request, req, d.Chat)
	if err == nil {
		_, err = instead(nil, a.depend(ctx, vars))
	}
	switch {
	case err != nil:
		return a.decided(relay.Verdict{Reply: a.refuse(because(ctx, err))})
	case d.Chat.Stream:
		return a.decided(relay.Verdict{Stream: a.streamed(vars)})
	}
	return relay.Verdict{Produce: func(context.Context) *relay.Reply {
		defer a.end()
		body, err := a.whole(ctx, vars)
		if err != nil {
			return a.refuse(because(ctx, err))
		}
		return relay.JSON(body)
	}}
}

// vars are those of the route's request that is made from the conversation.
func (m *Model) vars(ctx context.Context, q *request, req *relay.Request, chat *llm.Chat) (map[string]any, error) {
	conversation, err := m.conversation(ctx, q, chat)
	if err != nil {
		return nil, err
	}
	given := map[string]any{"conversation": conversation, "steps": map[string]any{}}
	f := (&frame{request: q, vars: given}).knowing("conversation", inMessages)
	body, err := f.json(ctx, m.Body)
	if err != nil {
		return nil, err
	}
	if err := f.reserve(ctx, relay.Held(body)-cap(body)); err != nil {
		return nil, err
	}
	q.body = len(body)
	vars, err := m.route.input.read(ctx, m.route.env, &relay.Request{
		Head: relay.Head{
			Method: m.route.Method, Path: m.route.Path, EscapedPath: m.route.Path, Header: req.Header, Host: req.Host, Peer: req.Peer,
		},
		Body: body, Memory: req.Memory,
	})
	q.seen = vars["request"]
	return vars, err
}

// inMessages sends clients to messages for a value that an expression cannot use.
func inMessages([]any) origin { return origin{places: [][]any{{"body", "messages"}}} }

// conversation is the request as a model's templates see it.
func (m *Model) conversation(ctx context.Context, q *request, chat *llm.Chat) (map[string]any, error) {
	conversation := map[string]any{}
	if m.ReadsLast {
		text, err := lastMessage(ctx, q, chat.Messages)
		if err != nil {
			return nil, err
		}
		conversation["lastMessage"] = text
	}
	if m.ReadsMessages {
		messages, err := messagesValue(ctx, q, chat.Messages)
		if err != nil {
			return nil, err
		}
		conversation["messages"] = messages
	}
	return conversation, nil
}

// messagesValue is the conversation as the client has sent it, with all parts of its messages.
func messagesValue(ctx context.Context, q *request, messages []llm.Message) (any, error) {
	encoded := rawjson.AppendList(nil, messages, func(dst []byte, m llm.Message) []byte { return m.AppendJSON(dst) })
	if err := q.reserve(ctx, cap(encoded)+schema.DecodedBytes(encoded)); err != nil {
		return nil, err
	}
	return admitted(ctx, q.env, len(encoded), func() (any, error) {
		value, err := schema.DecodeLenient(ctx, encoded)
		if err != nil && ctx.Err() == nil {
			want := fmt.Sprintf("of at most %d values, at most %d levels deep", schema.MaxBodyNodes, schema.MaxBodyDepth)
			return nil, problem.WrongValue("messages", want).WithCause(err)
		}
		return value, err //nolint:wrapcheck // it is the reason why ctx has ended
	})
}

// lastMessage is the text of the user's last message.
func lastMessage(ctx context.Context, q *request, messages []llm.Message) (string, error) {
	for _, m := range slices.Backward(messages) {
		if m.Role != "user" {
			continue
		}
		if err := q.reserve(ctx, len(m.Raw)); err != nil {
			return "", err
		}
		said, err := m.Read()
		if err != nil {
			const want = "a list whose last message of the user is text: the model reads nothing else"
			return "", problem.WrongValue("messages", want).WithCause(err)
		}
		return said.Content, nil
	}
	return "", problem.WrongValue("messages", "a list with a message of the user")
}

// modelAnswer is a route's answer for a client that uses it as a model.
type modelAnswer struct {
	*llm.Dialogue
	*request
}

// whole is the whole answer.
func (a *modelAnswer) whole(ctx context.Context, vars map[string]any) ([]byte, error) {
	f := a.frame(vars)
	done, err := a.completion(ctx, f)
	if done, err = instead(done, err); err != nil {
		return nil, err
	}
	done.Usage = f.account.usage()
	if err := f.reserve(ctx, relay.Copies*len(done.Text)); err != nil {
		return nil, err
	}
	return a.As.WriteCompletion(done, a.Model, time.Now()), nil
}

// completion runs the steps, without streaming any of them.
func (a *modelAnswer) completion(ctx context.Context, f *frame) (*llm.Completion, error) {
	if err := runSteps(ctx, f.steps, f); err != nil {
		return nil, err
	}
	kept := a.promise()
	if a.Response.Stream == "" {
		encoded, err := body(ctx, f, a.Response.Body, &kept)
		return textual(encoded), err
	}
	done := f.completion(a.Response.Stream)
	if kept.schema != nil {
		if err := kept.kept(ctx, f, done.Text); err != nil {
			return nil, err
		}
	}
	return &llm.Completion{Text: done.Text, FinishReason: reasonOf(done)}, nil
}

// reasonOf is why an answer ended. The client does not see its tool calls.
func reasonOf(done *llm.Completion) string {
	if done.FinishReason == llm.FinishToolCalls {
		return llm.FinishStop
	}
	return done.FinishReason
}

// streamed is the answer as a stream.
func (a *modelAnswer) streamed(vars map[string]any) *relay.Stream {
	return a.bounded(&relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			f := a.frame(vars)
			err := a.send(ctx, f, a.speech(ctx, f, out))
			if err == nil {
				return nil
			}
			return a.ended(ctx, out, err)
		},
		Refuse: a.refuse, KeepAlive: a.KeepAlive,
		Abort: func(err error) []byte { return a.As.AppendError(nil, a.problem(err)) },
	})
}

func (a *modelAnswer) send(ctx context.Context, f *frame, out *speech) error {
	done, err := a.tokens(ctx, f, out)
	if err != nil && !out.begun() {
		done, err = instead(done, err)
	}
	if err != nil {
		return err
	}
	if done.Text != "" && !out.begun() {
		if err := out.Send([]byte(done.Text), relay.Content); err != nil {
			return err
		}
	}
	var used jsontext.Value
	if a.Chat.IncludeUsage {
		used = f.account.usage()
	}
	return out.end(reasonOf(done), used)
}

// tokens sends the tokens of a route that streams them. Other routes' answers come whole.
func (a *modelAnswer) tokens(ctx context.Context, f *frame, out *speech) (*llm.Completion, error) {
	step := a.Response.Stream
	if step == "" {
		return a.completion(ctx, f)
	}
	writer := func() llm.Writer { return verbatim{} }
	into := &stream{sender: out, own: writer, writers: map[string]func() llm.Writer{step: writer}}
	return (&tokenStream{Response: a.Response, promise: a.promise()}).run(ctx, f, into)
}

// ended handles the end of a stream that failed, or that a step has answered.
func (a *modelAnswer) ended(ctx context.Context, out relay.Sink, err error) error {
	if step, ok := answered(err); ok { // content has been sent before
		if !step.isSuccess() {
			return requestlog.InPlaceOf(err, &refusedError{problem: problemOf(step), instead: step.instead})
		}
		err = step.instead
	}
	refused, ok := errors.AsType[*refusedError](err)
	switch {
	case !ok:
		return finished(ctx, out, err, nil)
	case out.Reply(relay.Problem(a.Errors, refused.problem)) == nil:
		return nil
	}
	return refused // a comment has been sent before
}

// refuse is the answer to any error before anything was sent.
func (a *modelAnswer) refuse(err error) *relay.Reply {
	return relay.Problem(a.Errors, a.problem(err))
}

// instead replaces the result of the steps by a step's answer: a completion, or an error.
func instead(done *llm.Completion, err error) (*llm.Completion, error) {
	step, ok := answered(err)
	switch {
	case !ok:
		return done, err
	case step.isSuccess():
		return textual(step.body), nil
	}
	return nil, requestlog.InPlaceOf(err, &refusedError{problem: problemOf(step), instead: step.instead})
}
